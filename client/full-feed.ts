import { ADVICE, warnOfSix } from './advice.ts'
import { CursorFeed } from './feed.ts'
import { FrameSocket } from './frame-socket.ts'
import { Joiner } from './joiner.ts'
import type { FeedSettings } from './kinds.ts'
import { Publisher } from './publisher.ts'
import type { GapReason, PublishOptions, SubscribeOptions } from './types.ts'

/** A reader that publishes, adds channels while it reads, and says what can be done about what goes wrong. */
export class FullFeed extends CursorFeed {
  readonly #ended = new AbortController()
  readonly #joiner: Joiner
  readonly #publisher: Publisher

  constructor(settings: FeedSettings) {
    super(settings)
    const socket = () => {
      const { main } = this.links
      return main instanceof FrameSocket ? main : undefined
    }
    this.#joiner = new Joiner(settings, this.links, this.host, socket)
    this.#publisher = new Publisher(settings, socket, this.#ended.signal)
  }

  protected override reads(): void {
    if (this.transport === 'sse') warnOfSix()
    this.#joiner.go()
  }

  protected override wants(channel: string): boolean {
    return !this.#joiner.left.has(channel)
  }

  protected override replayed(cursor: string): void {
    this.#joiner.at(cursor)
  }

  protected override advise(reason: GapReason): string {
    return ADVICE[reason]
  }

  protected override ends(): void {
    this.#joiner.fail(new Error('The feed is closed'))
    this.#ended.abort()
  }

  subscribe(channel: string, options: SubscribeOptions = {}): Promise<void> {
    return this.#joiner.subscribe(channel, options)
  }

  unsubscribe(channel: string): Promise<void> {
    return this.#joiner.unsubscribe(channel)
  }

  publish(channel: string, data: unknown, options: PublishOptions = {}): Promise<{ cursor: string }> {
    return this.#publisher.publish(channel, data, options)
  }
}
