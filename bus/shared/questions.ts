import { ERR_UNAVAILABLE } from '../errors.ts'
import { Backoff, type Calls, SILENCE } from './calls.ts'
import type { Engine, State } from './engine.ts'

/** Questions that may wait at once. */
const MOST = 10_000

/**
 * Asks the engine where its log stands, one question at a time, however many ask. Who asks while one is under way
 * shares the next: the answer to the first may be older than what made them ask.
 */
export class Questions {
  readonly #engine: Engine
  readonly #calls: Calls
  readonly #epochOf: () => string
  readonly #heard: (state: State) => void
  #under: Promise<State> | undefined
  #next: Promise<State> | undefined
  #waiting = 0

  /**
   * @param epochOf the epoch that the log is in
   * @param heard told of each answer
   */
  constructor(engine: Engine, calls: Calls, epochOf: () => string, heard: (state: State) => void) {
    this.#engine = engine
    this.#calls = calls
    this.#epochOf = epochOf
    this.#heard = heard
  }

  /** One question, once. */
  once(): Promise<State> {
    if (this.#under === undefined) {
      this.#under = this.#ask().finally(() => {
        this.#under = undefined
      })
      return this.#under
    }
    this.#next ??= this.#under
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        return this.once()
      })
    return this.#next
  }

  async #ask(): Promise<State> {
    const state = await this.#calls.make((signal) => this.#engine.state(this.#epochOf(), signal))
    this.#heard(state)
    return state
  }

  /**
   * Asks until there is an answer.
   * @throws TIDINGS_ERR_UNAVAILABLE where there is none in time
   */
  async ask(patience = SILENCE): Promise<State> {
    if (this.#waiting >= MOST) throw new ERR_UNAVAILABLE()
    this.#waiting++
    let timer: NodeJS.Timeout | undefined
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new ERR_UNAVAILABLE()), patience)
      })
      return await Promise.race([this.#persist(performance.now() + patience), late])
    } finally {
      clearTimeout(timer)
      this.#waiting--
    }
  }

  async #persist(until: number): Promise<State> {
    const backoff = new Backoff()
    for (;;) {
      try {
        return await this.once()
      } catch {
        if (performance.now() >= until || this.#calls.closed) throw new ERR_UNAVAILABLE()
        await backoff.wait()
      }
    }
  }
}
