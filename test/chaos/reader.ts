import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'undici'
import { type ConnectOptions, connect, type Feed, type Transport } from '../../client/index.ts'
import type { Judge } from './judge.ts'
import { KEY_AGE } from './key-age.ts'
import type { Published } from './payload.ts'
import type { Random } from './random.ts'
import { CHANNELS } from './record.ts'

const ALL: readonly Transport[] = ['ws', 'sse', 'longpoll', 'poll']

/** Waits that fit a run of minutes, not of days. */
const QUICK: ConnectOptions = {
  WebSocket: WebSocket as unknown as NonNullable<ConnectOptions['WebSocket']>,
  backoff: { base: 50, cap: 500 },
  pollInterval: 100,
  wait: 2,
  probe: 2000,
  silence: 3000,
  upgradeAfter: 3000,
  keyAge: KEY_AGE,
}

/** How a reader takes its messages: by a handler, by a loop, by a loop that is slow. */
export type Style = 'handler' | 'loop' | 'slow'

export interface Habits {
  readonly style: Style
  /** Whether it closes now and then, and goes on from its cursor. */
  readonly resumes: boolean
}

/** A client that lives as clients do: it reads, goes over to other transports, closes and comes back. */
export class ChaosReader {
  readonly judge: Judge
  readonly habits: Habits
  readonly seen = new Map<string, number>()
  errors = 0
  switches = 0
  resumptions = 0
  feed!: Feed<Published>
  readonly #url: string
  readonly #random: Random
  #cursor = 'earliest'
  #stopping = false
  /** Woken when it is to stop its unrest. */
  readonly #calm = new AbortController()
  #ended: Promise<unknown> = Promise.resolve()

  constructor(url: string, judge: Judge, habits: Habits, random: Random) {
    this.#url = url
    this.judge = judge
    this.habits = habits
    this.#random = random
  }

  start(): void {
    this.#open()
    this.#ended = Promise.all([this.#unrest(), this.habits.resumes && this.#comeAndGo()])
  }

  /** It stays where it is from now on, and reads. */
  async calm(): Promise<void> {
    this.#calm.abort()
    await this.#ended
  }

  async close(): Promise<void> {
    this.#stopping = true
    this.feed.close()
    await this.#loop
  }

  async #pause(from: number, to: number): Promise<boolean> {
    const { signal } = this.#calm
    await sleep(this.#random.scale(from, to), undefined, { signal }).catch(() => {})
    return !signal.aborted
  }

  async #unrest(): Promise<void> {
    while (await this.#pause(100, 20_000)) {
      this.switches++
      void this.feed.switchTo(this.#random.pick(ALL))
    }
  }

  async #comeAndGo(): Promise<void> {
    while (await this.#pause(300, 30_000)) {
      this.resumptions++
      const { feed, judge } = this
      this.#generation++
      feed.close()
      await this.#loop
      if (this.habits.style === 'handler') {
        if (feed.cursor !== undefined) {
          judge.resume(feed.cursor)
          this.#cursor = feed.cursor
        }
      } else judge.forget()
      if (this.#random.chance(0.3)) await this.#pause(100, 6000)
      this.#open()
    }
  }

  #loop: Promise<void> = Promise.resolve()
  #generation = 0

  #open(): void {
    const { judge, habits } = this
    const random = this.#random
    const transports = [...ALL].sort(() => random.next() - 0.5)
    const feed = connect<Published>(this.#url, {
      ...QUICK,
      channels: [...judge.asked].map((channel) => CHANNELS[channel]!),
      cursor: this.#cursor,
      transports,
      buffer: random.pick([1, 5, 100]),
      ...(habits.style !== 'handler' && { onGap: () => undefined }),
    })
    this.feed = feed
    const generation = this.#generation
    const current = () => generation === this.#generation
    feed.addEventListener('error', () => this.errors++)
    feed.addEventListener('gap', ({ reason, cursor, from }) => {
      if (current()) judge.gap(reason, cursor, from)
    })
    feed.addEventListener('open', () =>
      this.seen.set(feed.transport, (this.seen.get(feed.transport) ?? 0) + 1),
    )
    if (habits.style === 'handler') feed.addEventListener('message', (message) => judge.message(message))
    else this.#loop = this.#iterate(feed, current)
  }

  async #iterate(feed: Feed<Published>, current: () => boolean): Promise<void> {
    for await (const message of feed) {
      if (!current()) return
      this.judge.message(message)
      this.#cursor = message.cursor
      if (this.#stopping) return
      if (this.habits.style === 'slow' && !this.#calm.signal.aborted) {
        // About as fast as its messages come, with long rests.
        await this.#pause(1, this.#random.chance(0.02) ? 3000 : 20)
      }
    }
  }
}
