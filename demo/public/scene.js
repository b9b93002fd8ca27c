/** Maximum milliseconds to wait for an event, in addition to the added delay. */
const PATIENCE = 20_000
/** One-way delays in the longest exchange: connect, request, response, and another request. */
const TRIPS = 8

/** Why the lesson can't continue: the key of a text, and its lane. */
export class Trouble extends Error {
  /** @param {string} key @param {string} [lane] */
  constructor(key, lane) {
    super(key)
    this.key = key
    this.lane = lane
  }
}

/**
 * One part of the lesson. `signal` aborts at its end, or when a lane fails, and ends all listeners and waits. While the
 * scene is on hold, its timers stop.
 */
export class Scene {
  /** A factor for all pauses. */
  pace
  /** The lanes of this part. */
  lanes
  #stage
  #life = new AbortController()
  /** @type {Set<Timer>} */
  #timers = new Set()
  #held = false
  /** Settles when it goes on. @type {Promise<void>} */
  #going = Promise.resolve()
  #go = () => {}

  /**
   * @param {import('./stage.js').Stage} stage
   * @param {import('./lane.js').Lane[]} lanes
   * @param {number} pace
   */
  constructor(stage, lanes, pace) {
    this.#stage = stage
    this.lanes = lanes
    this.pace = pace
    const { signal } = this
    const trouble = (key, lane) => this.#life.abort(new Trouble(key, lane))
    for (const lane of lanes) {
      const cut = () => lane.isCut && trouble('lesson.trouble.cut', lane.transport)
      lane.addEventListener('cut', cut, { signal })
      lane.addEventListener('gap', () => trouble('lesson.trouble.gap', lane.transport), { signal })
      cut()
    }
    const away = () => trouble('lesson.trouble.away')
    stage.tap?.addEventListener('lost', away, { signal })
    if (stage.tap?.ready === false) away()
  }

  get signal() {
    return this.#life.signal
  }

  /** The lane of a part with a single lane. */
  get lane() {
    return this.lanes[0]
  }

  /** Ends all listeners and waits. */
  end() {
    this.#life.abort()
    this.#stage.recording?.clock.hold()
    this.#go()
  }

  /** Stops all timers and the polls of short polling. */
  hold() {
    if (this.#held) return
    this.#held = true
    this.#going = new Promise((resolve) => {
      this.#go = resolve
    })
    for (const timer of this.#timers) timer.hold()
    this.#stage.recording?.clock.hold()
    for (const lane of this.lanes) lane.hold()
  }

  go() {
    if (!this.#held) return
    this.#held = false
    this.#go()
    for (const timer of this.#timers) timer.go()
    this.#stage.recording?.clock.go()
    for (const lane of this.lanes) lane.go()
  }

  /**
   * Fails the scene if this socket closes.
   * @param {WebSocket} socket
   * @returns {() => void} closes it, when it is no longer needed
   */
  needs(socket) {
    const lost = () => this.#life.abort(new Trouble('lesson.trouble.lost', this.lane.transport))
    socket.addEventListener('close', lost, { signal: this.signal })
    return () => {
      socket.removeEventListener('close', lost)
      socket.close()
    }
  }

  /**
   * @param {EventTarget} target
   * @param {string} type
   * @param {(event: any) => boolean} [pass]
   * @returns {Promise<any>} the first such event from now on that passes
   */
  until(target, type, pass = () => true) {
    return this.#wait((resolve, reject, signal) => {
      const hear = (event) => {
        if (pass(event)) resolve(event)
      }
      target.addEventListener(type, hear, { signal })
      const delay = Math.max(...this.lanes.map((lane) => lane.delay))
      const lane = this.lanes.length === 1 ? this.lane.transport : undefined
      const late = () => reject(new Trouble('lesson.trouble.silent', lane))
      return new Timer(late, PATIENCE * Math.max(1, this.pace) + TRIPS * delay)
    })
  }

  /** Returns the cursor at the head of the log. */
  async place() {
    const cursor = await this.#stage.place()
    this.signal.throwIfAborted()
    return cursor
  }

  /** An arrow of the lane. @param {(arrow: import('./arrow.js').Arrow) => boolean} pass */
  arrow(pass) {
    return this.until(this.lane, 'arrow', ({ arrow }) => pass(arrow))
  }

  /** @param {number} ms at the usual pace */
  pause(ms) {
    return this.#wait((resolve) => new Timer(resolve, ms * this.pace))
  }

  /**
   * Publishes a message, and waits until each lane has received it.
   * @param {string} text
   * @param {(delivery: { transport: string, delay: number }) => void} [heard]
   */
  async publish(text, heard) {
    this.signal.throwIfAborted()
    const all = this.lanes.map(async (lane) => {
      const drawn = this.until(
        lane,
        'arrow',
        ({ arrow: { direction, count } }) => direction === 'down' && count > 0,
      )
      const { delivery } = await this.until(lane, 'delivery', ({ delivery: { data } }) => data === text)
      heard?.(delivery)
      await drawn
    })
    await Promise.all([...all, this.#stage.publish(text)])
  }

  /**
   * @param {(resolve: (value?: any) => void, reject: (reason: Error) => void, signal: AbortSignal) => Timer} begin
   * @returns {Promise<any>} settles while the scene is not held
   */
  #wait(begin) {
    const ended = new AbortController()
    const promise = new Promise((resolve, reject) => {
      const fail = () => reject(this.signal.reason)
      if (this.signal.aborted) {
        fail()
        return
      }
      this.signal.addEventListener('abort', fail, { signal: ended.signal })
      const timer = begin(resolve, reject, ended.signal)
      this.#timers.add(timer)
      if (!this.#held) timer.go()
      ended.signal.addEventListener('abort', () => {
        timer.hold()
        this.#timers.delete(timer)
      })
    })
      .finally(() => ended.abort())
      .then(async (value) => {
        await this.#going
        this.signal.throwIfAborted()
        return value
      })
    // With several waits, the first failure is reported.
    promise.catch(() => {})
    return promise
  }
}

/** A timeout that can be paused. */
class Timer {
  #due
  #left
  #since = 0
  #timer

  /** @param {() => void} due @param {number} ms */
  constructor(due, ms) {
    this.#due = due
    this.#left = ms
  }

  go() {
    this.#since = performance.now()
    this.#timer = setTimeout(this.#due, this.#left)
  }

  hold() {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#left = Math.max(0, this.#left - (performance.now() - this.#since))
  }
}
