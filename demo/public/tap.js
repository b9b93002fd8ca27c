/** The WebSocket that reports the traffic of the lanes and takes the page's commands. */
export class Tap extends EventTarget {
  #url
  #socket
  #waiting = []
  #tries = 0
  #asked = new Map()
  /** Milliseconds by which the server's clock is ahead. */
  offset = 0
  /** The shortest round trip on this socket in milliseconds. It has no added delay. */
  trip = 0
  /** Whether the server is ready. */
  ready = false
  #ended = false

  /** @param {URL} url */
  constructor(url) {
    super()
    this.#url = url
    this.#url.protocol = url.protocol.replace('http', 'ws')
  }

  /** Resolves when the server is ready. */
  open() {
    return new Promise((resolve) => {
      this.addEventListener('ready', resolve, { once: true })
      this.#connect()
    })
  }

  #connect() {
    const socket = new WebSocket(this.#url)
    this.#socket = socket
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data))
    socket.onclose = () => {
      if (this.#ended) return
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the server is down'))
      if (this.ready) this.dispatchEvent(new Event('lost'))
      this.ready = false
      setTimeout(() => this.#connect(), Math.random() * Math.min(8000, 500 * 2 ** this.#tries++))
    }
  }

  #hear(frame) {
    if (frame.type === 'pieces') {
      const { pieces, left, totals } = frame
      this.dispatchEvent(Object.assign(new Event('pieces'), { pieces, left, totals }))
    } else if (frame.type === 'ready') {
      this.#tries = 0
      this.ready = true
      for (let id = 0; id < 5; id++) setTimeout(() => this.#ask(id), id * 150)
      this.dispatchEvent(new Event('ready'))
    } else if (frame.type === 'pong') this.#set(frame)
    else {
      const waiting = this.#waiting.shift()
      if (frame.type === 'error') waiting?.reject(new Error(frame.message))
      else waiting?.resolve(frame)
    }
  }

  /** Measures the clocks' offset. The quickest answer gives the best estimate. */
  #ask(id) {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    this.#asked.set(id, { at: performance.now(), clock: Date.now() })
    this.#socket.send(JSON.stringify({ type: 'ping', id }))
  }

  #set({ id, now }) {
    const { at, clock } = this.#asked.get(id)
    this.#asked.delete(id)
    const trip = performance.now() - at
    if (this.trip > 0 && trip >= this.trip) return
    this.trip = trip
    const offset = now - (clock + trip / 2)
    // An offset within the round trip can't be distinguished from zero.
    this.offset = Math.abs(offset) < trip + 2 ? 0 : offset
  }

  /**
   * @param {object} control
   * @returns {Promise<object>} what was done
   */
  control(control) {
    return new Promise((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) {
        reject(new Error('the server is down'))
        return
      }
      this.#waiting.push({ resolve, reject })
      this.#socket.send(JSON.stringify(control))
    })
  }

  close() {
    this.#ended = true
    this.#socket.close()
  }
}
