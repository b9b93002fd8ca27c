import { setTimeout as wait } from 'node:timers/promises'
import { type Answer, ask } from '../request.ts'
import { firstOf, type Given, seqOf } from './judge.ts'

export interface Accepted {
  readonly id: number
  readonly cursor: string
  readonly channel: string
  readonly time: number
  /** It was asked again, and the first answer came then. */
  readonly repeated: boolean
}

/** Numbers of all publishers: no two messages of a process have the same. */
let last = 0

export function nextId(): number {
  return ++last
}

/** @returns the answer, whatever it is */
export function publishOnce(base: string, channel: string, id: number, key?: string): Promise<Answer> {
  return ask(`${base}/publish?channel=${channel}`, {
    method: 'POST',
    body: JSON.stringify({ id }),
    headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
  })
}

/** Publishes with keys, and asks again until there is an answer that says where the message is. */
export class Publisher {
  readonly accepted: Accepted[] = []
  /** Answers that were neither, by their status; 0: none came. */
  readonly refused = new Map<number, number>()
  readonly #base: string
  readonly #channels: readonly string[]
  readonly #lanes: Promise<void>[] = []
  #stopping = false
  readonly #waiting = new Set<() => void>()

  constructor(base: string, channels: readonly string[]) {
    this.#base = base
    this.#channels = channels
  }

  /**
   * @param lanes publishes that are under way at once
   * @param pause milliseconds after each answer
   */
  start(lanes: number, pause: number): void {
    for (let i = 0; i < lanes; i++) this.#lanes.push(this.#lane(pause))
  }

  async #lane(pause: number): Promise<void> {
    while (!this.#stopping) {
      await this.publish()
      await wait(pause)
    }
  }

  /** @returns its number, once it is in the log */
  async publish(channel?: string): Promise<number> {
    const id = nextId()
    const to = channel ?? this.#channels[id % this.#channels.length]!
    for (;;) {
      const status = await this.#try(id, to)
      if (status === 200 || status === 201) return id
      this.refused.set(status, (this.refused.get(status) ?? 0) + 1)
      await wait(20)
    }
  }

  async #try(id: number, channel: string): Promise<number> {
    let answer: Answer
    try {
      answer = await publishOnce(this.#base, channel, id, `${id}`)
    } catch {
      return 0
    }
    const { status, text } = answer
    if (status !== 200 && status !== 201) return status
    const { cursor, time } = JSON.parse(text) as { cursor: string; time: number }
    this.accepted.push({ id, cursor, channel, time, repeated: status === 200 })
    for (const look of this.#waiting) look()
    return status
  }

  /** Resolves once so many more have been accepted. */
  more(count: number): Promise<void> {
    const goal = this.accepted.length + count
    return new Promise((resolve) => {
      const look = () => {
        if (this.accepted.length < goal) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Resolves once all that was begun has its answer. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#lanes)
  }

  /**
   * @param log all that it keeps, in its order
   * @param lost whether this was rightly taken back
   * @returns what was accepted and is not where it was said to be
   */
  missing(log: readonly Given[], lost: (accepted: Accepted) => boolean): string[] {
    const places = new Map(log.map(({ cursor, data }) => [cursor, data.id]))
    const first = firstOf(log)
    return this.accepted
      .filter(({ id, cursor }) => places.get(cursor) !== id)
      .filter(({ cursor, channel }) => seqOf(cursor) >= (first.get(channel) ?? 0))
      .filter((one) => !lost(one))
      .map(({ id, cursor }) => `number ${id} was accepted at ${cursor}, and is not there`)
  }
}
