import type { Tidings } from 'fastify-tidings'

/** Publishes at a rate, as a Poisson process, which the theory assumes. */
export class PoissonPublisher {
  readonly #tidings: Tidings
  readonly #channel: string
  #rate = 0
  #size = 0
  #count = 0
  #timer: NodeJS.Timeout | undefined

  constructor(tidings: Tidings, channel: string) {
    this.#tidings = tidings
    this.#channel = channel
  }

  /** @param rate messages per second @param size bytes */
  set(rate: number, size: number): void {
    this.#rate = rate
    this.#size = size
    clearTimeout(this.#timer)
    if (rate > 0) this.#next()
  }

  #next(): void {
    this.#timer = setTimeout(
      () => {
        this.#publish()
        this.#next()
      },
      (-Math.log(1 - Math.random()) / this.#rate) * 1000,
    )
  }

  #publish(): void {
    const text = `#${++this.#count}`.padEnd(this.#size, ' .').slice(0, Math.max(this.#size, 1))
    // A closing bus accepts no messages.
    this.#tidings.publish(this.#channel, text).catch(() => this.close())
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}
