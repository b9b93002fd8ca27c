import { connect } from './lib/client/index.js'

/*
 * The clients of the lanes, in a thread of their own, so that the arrival time of a message does not depend on how busy
 * the page is.
 */

/** Stores nothing, because each lane uses a single transport. */
const NO_STORAGE = { getItem: () => null, setItem() {} }

/** @type {Map<number, import('./lib/client/index.js').Feed>} */
const feeds = new Map()

/** Where those stood that were closed, for who goes on from there. @type {Map<number, string>} */
const places = new Map()

const ACTS = {
  open({ id, url, options, after }) {
    const cursor = places.get(after) ?? options.cursor
    places.delete(after)
    const feed = connect(url, { ...options, cursor, storage: NO_STORAGE })
    const tell = (type, what = {}) => postMessage({ id, type, ...what })
    feeds.set(id, feed)
    feed.addEventListener('open', () => tell('open'))
    feed.addEventListener('message', ({ cursor, time, data }) =>
      tell('message', { cursor, time, data, at: Date.now() }),
    )
    feed.addEventListener('gap', ({ reason, cursor }) => tell('gap', { reason, cursor }))
    feed.addEventListener('status', ({ readyState }) => tell('status', { readyState, cursor: feed.cursor }))
  },
  close({ id }) {
    const feed = feeds.get(id)
    if (feed.cursor) places.set(id, feed.cursor)
    feed.close()
    feeds.delete(id)
    postMessage({ id, type: 'closed' })
  },
  forget({ id }) {
    places.delete(id)
  },
  async publish({ id, call, channel, data }) {
    try {
      const { cursor } = await feeds.get(id).publish(channel, data)
      postMessage({ id, type: 'published', call, cursor })
    } catch ({ message }) {
      postMessage({ id, type: 'refused', call, message })
    }
  },
  /** Emits the event of a restored network, so that all clients reconnect at once. */
  wake() {
    dispatchEvent(new Event('online'))
  },
}

addEventListener('message', ({ data }) => ACTS[data.type](data))
