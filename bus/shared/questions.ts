import { ERR_UNAVAILABLE } from '../errors.ts'
import { type Calls, SILENCE } from './calls.ts'
import type { Engine, State } from './engine.ts'

/** Maximum number of waiting callers. */
const MOST = 10_000

/**
 * Asks the engine for its head, one call at a time for any number of callers. Callers during a call share the next one,
 * since the answer to the first may be older than their request.
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
   * @param epochOf returns the epoch of the log
   * @param heard called with each answer
   */
  constructor(engine: Engine, calls: Calls, epochOf: () => string, heard: (state: State) => void) {
    this.#engine = engine
    this.#calls = calls
    this.#epochOf = epochOf
    this.#heard = heard
  }

  /** Asks once. */
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
   * @throws TIDINGS_ERR_UNAVAILABLE after a timeout
   */
  async ask(patience = SILENCE): Promise<State> {
    if (this.#waiting >= MOST) throw new ERR_UNAVAILABLE()
    this.#waiting++
    let timer: NodeJS.Timeout | undefined
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new ERR_UNAVAILABLE()), patience)
      })
      return await Promise.race([this.#calls.persist(() => this.once(), patience), late])
    } finally {
      clearTimeout(timer)
      this.#waiting--
    }
  }
}
