import { headersOf } from './bytes.js'
import { exchangeOf, pushOf } from './lib/benchmarks/model/exchange.js'
import { longPollBytes, longPollDelay } from './lib/benchmarks/model/longpoll.js'
import { pollBytes, pollDelay } from './lib/benchmarks/model/poll.js'
import { delayFromAcceptance } from './lib/benchmarks/model/server-push.js'

/** The `wait` of the lanes' long polls in seconds. */
const WAIT = 25
/** Minimum cycles for a prediction. */
const FEW = 3

/** The model's input: intervals and headers of a lane's requests. The model's times are in seconds. */
export class Rhythm {
  /** Times from one request to the next. */
  #cycles = []
  /** Times from a response leaving the server to the arrival of the next request. */
  #gaps = []
  #asked
  #answered
  #headers = 0

  /** Takes a piece of the lane's traffic. */
  take(piece) {
    const { kind, at, delay } = piece
    if (kind === 'response') this.#answered = at
    if (kind !== 'request') return
    if (this.#asked !== undefined) this.#cycles.push({ at, value: (at - this.#asked) / 1000 })
    if (this.#answered !== undefined) {
      this.#gaps.push({ at, value: (at + delay - this.#answered) / 1000 })
    }
    this.#asked = at
    this.#answered = undefined
    this.#headers = headersOf(piece)
  }

  /** Forgets the last request, because the lane was interrupted. */
  rest() {
    this.#asked = this.#answered = undefined
  }

  /** @param {number} from what was before it is forgotten */
  forget(from) {
    for (const all of [this.#cycles, this.#gaps]) while (all[0]?.at < from) all.shift()
  }

  /**
   * Predicts delay and bytes. The model is not fitted to the measurements.
   * @param {import('./lib/benchmarks/model/requirements.js').Transport} transport
   * @param {{ rate: number, oneWay: number, payload: number, channel: number }} seen messages a second, seconds, and
   *   bytes of the data and of the channel's name
   * @returns {{ delay?: number, bytes?: number }} milliseconds, and bytes of each message, both ways
   */
  predict(transport, { rate, oneWay, payload, channel }) {
    const shape = { payload, channel, wait: WAIT, headers: this.#headers }
    if (transport === 'sse' || transport === 'ws') {
      // Writes to other readers are not visible here.
      const delay = delayFromAcceptance({ rate, oneWay, readers: 1, write: 0 })
      return { delay: delay * 1000, bytes: pushOf(transport, shape, rate) }
    }
    const weight = exchangeOf(transport, shape)
    if (transport === 'poll') {
      if (this.#cycles.length < FEW) return {}
      const polling = { rate, oneWay, cycles: this.#cycles.map(({ value }) => value) }
      return { delay: pollDelay(polling) * 1000, bytes: pollBytes(polling, weight) }
    }
    if (this.#gaps.length < FEW) return {}
    const gap = this.#gaps.reduce((sum, { value }) => sum + value, 0) / this.#gaps.length
    const polling = { rate, oneWay, gap, wait: WAIT }
    return { delay: longPollDelay(polling) * 1000, bytes: longPollBytes(polling, weight) }
  }
}
