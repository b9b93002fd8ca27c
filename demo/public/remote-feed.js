const worker = new Worker(new URL('feed-worker.js', import.meta.url), { type: 'module' })
/** @type {Map<number, RemoteFeed>} */
const feeds = new Map()
let last = 0

worker.addEventListener('message', ({ data }) => {
  for (const what of data) feeds.get(what.id)?.hear(what)
})

/** Makes all clients reconnect at once. */
export function wake() {
  worker.postMessage({ type: 'wake' })
}

/** A client in the worker. It fires the client's events; a message also has its time of arrival. */
export class RemoteFeed extends EventTarget {
  cursor
  id = ++last
  #calls = new Map()
  #called = 0

  /**
   * @param {URL} url
   * @param {object} options of the client
   * @param {RemoteFeed} [before] one that is closed: this one goes on from its place, where it has one
   */
  constructor(url, options, before) {
    super()
    this.cursor = before?.cursor
    feeds.set(this.id, this)
    worker.postMessage({ type: 'open', id: this.id, url: url.href, options, after: before?.id })
  }

  /** Handles a message from the worker. */
  hear({ type, call, ...what }) {
    if (type === 'published' || type === 'refused') {
      const { resolve, reject } = this.#calls.get(call)
      this.#calls.delete(call)
      if (type === 'published') resolve({ cursor: what.cursor })
      else reject(new Error(what.message))
      return
    }
    if (type === 'closed') {
      feeds.delete(this.id)
      return
    }
    if (what.cursor) this.cursor = what.cursor
    this.dispatchEvent(Object.assign(new Event(type), what))
  }

  /**
   * @param {string} channel
   * @param {unknown} data
   * @returns {Promise<{ cursor: string }>}
   */
  publish(channel, data) {
    return new Promise((resolve, reject) => {
      const call = ++this.#called
      this.#calls.set(call, { resolve, reject })
      worker.postMessage({ type: 'publish', id: this.id, call, channel, data })
    })
  }

  /** Stops reading. Messages already read are still delivered, so that the next client can continue after them. */
  close() {
    worker.postMessage({ type: 'close', id: this.id })
    for (const { reject } of this.#calls.values()) reject(new Error('closed'))
    this.#calls.clear()
  }

  /** Drops all further events. No client continues at its cursor. */
  forget() {
    feeds.delete(this.id)
    worker.postMessage({ type: 'forget', id: this.id })
  }
}
