/** Milliseconds for which one thing is waited for that does not come, beside what the added delay takes. */
const PATIENCE = 20_000
/** One-way delays in the longest exchange: a connection is made, asks, is answered, and asks again. */
const TRIPS = 8

/** Why the lesson can't go on: the key of a text, and the lane that it is about. */
export class Trouble extends Error {
  /** @param {string} key @param {string} [lane] */
  constructor(key, lane) {
    super(key)
    this.key = key
    this.lane = lane
  }
}

/**
 * One part of the lesson, with a life of its own: `signal` ends with the part, with the lesson, or with a trouble of
 * its lanes, and whatever listens or waits here ends with it.
 */
export class Scene {
  /** How many times as long as usual each pause takes. */
  pace
  #stage
  #lanes
  #life = new AbortController()

  /**
   * @param {import('./stage.js').Stage} stage
   * @param {import('./lane.js').Lane[]} lanes those that play
   * @param {AbortSignal} lesson
   * @param {number} pace
   */
  constructor(stage, lanes, lesson, pace) {
    this.#stage = stage
    this.#lanes = lanes
    this.pace = pace
    const { signal } = this
    const trouble = (key, lane) => this.#life.abort(new Trouble(key, lane))
    lesson.addEventListener('abort', () => this.#life.abort(lesson.reason), { signal })
    if (lesson.aborted) this.#life.abort(lesson.reason)
    for (const lane of lanes) {
      const cut = () => lane.isCut && trouble('lesson.trouble.cut', lane.transport)
      lane.addEventListener('cut', cut, { signal })
      lane.addEventListener('gap', () => trouble('lesson.trouble.gap', lane.transport), { signal })
      cut()
    }
    const away = () => trouble('lesson.trouble.away')
    stage.tap.addEventListener('lost', away, { signal })
    if (!stage.tap.ready) away()
  }

  get signal() {
    return this.#life.signal
  }

  /** The lane of a part that has one. */
  get lane() {
    return this.#lanes[0]
  }

  /** Ends what listens and waits. */
  end() {
    this.#life.abort()
  }

  /** A socket that the scene has opened must not go away while it plays. @param {WebSocket} socket */
  needs(socket) {
    const lost = () => this.#life.abort(new Trouble('lesson.trouble.lost', this.lane.transport))
    socket.addEventListener('close', lost, { signal: this.signal })
  }

  /**
   * @param {EventTarget} target
   * @param {string} type
   * @param {(event: any) => boolean} [pass]
   * @returns {Promise<any>} the first such event from now on that passes
   */
  until(target, type, pass = () => true) {
    return this.#wait(
      (resolve, signal) => {
        const hear = (event) => {
          if (pass(event)) resolve(event)
        }
        target.addEventListener(type, hear, { signal })
        const delay = Math.max(...this.#lanes.map((lane) => lane.delay))
        return PATIENCE * Math.max(1, this.pace) + TRIPS * delay
      },
      new Trouble('lesson.trouble.silent', this.#lanes.length === 1 ? this.lane.transport : undefined),
    )
  }

  /** An arrow of the lane. @param {(arrow: import('./arrow.js').Arrow) => boolean} pass */
  arrow(pass) {
    return this.until(this.lane, 'arrow', ({ arrow }) => pass(arrow))
  }

  /** @param {number} ms at the usual pace */
  pause(ms) {
    return this.#wait((resolve) => {
      const timer = setTimeout(resolve, ms * this.pace)
      return () => clearTimeout(timer)
    })
  }

  /**
   * Publishes, and waits until each of the lanes has it.
   * @param {string} text
   * @param {(delivery: { transport: string, delay: number }) => void} [heard]
   */
  async publish(text, heard) {
    const all = this.#lanes.map(async (lane) => {
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
   * @param {(resolve: (value?: any) => void, signal: AbortSignal) => number | (() => void)} begin returns how long
   *   it may take, or what ends it
   * @param {Error} [late]
   */
  #wait(begin, late) {
    const ended = new AbortController()
    const promise = new Promise((resolve, reject) => {
      const fail = () => reject(this.signal.reason)
      if (this.signal.aborted) {
        fail()
        return
      }
      this.signal.addEventListener('abort', fail, { signal: ended.signal })
      const most = begin(resolve, ended.signal)
      const stop = typeof most === 'function' ? most : clearing(setTimeout(() => reject(late), most))
      ended.signal.addEventListener('abort', stop)
    }).finally(() => ended.abort())
    // Who waits for several things is told of the first that fails.
    promise.catch(() => {})
    return promise
  }
}

function clearing(timer) {
  return () => clearTimeout(timer)
}
