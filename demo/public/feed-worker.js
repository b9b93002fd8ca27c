import { connect } from './lib/client/index.js'

/*
 * The clients of the lanes, in a thread of their own, so that the arrival time of a message does not depend on how busy
 * the page is.
 */

/** Stores nothing, because each lane uses a single transport. */
const NO_STORAGE = { getItem: () => null, setItem() {} }

/** Minimum milliseconds between two reports. Each one is a task of the page's main thread. */
const PERIOD = 40

let told = []
let resting = false

/** Reports to the page: at once, or together with others once the period since the last report is over. */
function tell(what) {
  told.push(what)
  if (!resting) report()
}

function report() {
  if (told.length === 0) {
    resting = false
    return
  }
  resting = true
  postMessage(told)
  told = []
  setTimeout(report, PERIOD)
}

/** @type {Map<number, import('./lib/client/index.js').Feed>} */
const feeds = new Map()

/** Where those stood that were closed, for who goes on from there. @type {Map<number, string>} */
const places = new Map()

const ACTS = {
  open({ id, url, options, after }) {
    const cursor = places.get(after) ?? options.cursor
    places.delete(after)
    const feed = connect(url, { ...options, cursor, storage: NO_STORAGE })
    const hear = (type, what = {}) => tell({ id, type, ...what })
    feeds.set(id, feed)
    feed.addEventListener('open', () => hear('open'))
    feed.addEventListener('message', ({ cursor, time, data }) =>
      hear('message', { cursor, time, data, at: Date.now() }),
    )
    feed.addEventListener('gap', ({ reason, cursor }) => hear('gap', { reason, cursor }))
    feed.addEventListener('status', ({ readyState }) => hear('status', { readyState, cursor: feed.cursor }))
  },
  close({ id }) {
    const feed = feeds.get(id)
    if (feed.cursor) places.set(id, feed.cursor)
    feed.close()
    feeds.delete(id)
    tell({ id, type: 'closed' })
  },
  forget({ id }) {
    places.delete(id)
  },
  async publish({ id, call, channel, data }) {
    try {
      const { cursor } = await feeds.get(id).publish(channel, data)
      tell({ id, type: 'published', call, cursor })
    } catch ({ message }) {
      tell({ id, type: 'refused', call, message })
    }
  },
  /** Emits the event of a restored network, so that all clients reconnect at once. */
  wake() {
    dispatchEvent(new Event('online'))
  },
}

addEventListener('message', ({ data }) => ACTS[data.type](data))
