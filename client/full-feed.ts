import { ADVICE, warnOfConnectionLimit } from './advice.ts'
import { CursorFeed } from './feed.ts'
import { FrameSocket } from './frame-socket.ts'
import type { FeedSettings } from './link-class.ts'
import { Publisher } from './publisher.ts'
import { Subscriptions } from './subscriptions.ts'
import type { GapReason, PublishOptions, SubscribeOptions } from './types.ts'

/** A feed that also publishes, adds and removes channels, and describes how to recover from gaps. */
export class FullFeed extends CursorFeed {
  readonly #ended = new AbortController()
  readonly #subscriptions: Subscriptions
  readonly #publisher: Publisher

  constructor(settings: FeedSettings) {
    super(settings)
    const socket = () => {
      const { main } = this.links
      return main instanceof FrameSocket ? main : undefined
    }
    this.#subscriptions = new Subscriptions(settings, this.links, this.host, socket)
    this.#publisher = new Publisher(settings, socket, this.#ended.signal)
  }

  protected override connected(): void {
    if (this.transport === 'sse') warnOfConnectionLimit()
    this.#subscriptions.go()
  }

  protected override wants(channel: string): boolean {
    return !this.#subscriptions.left.has(channel)
  }

  protected override replayed(cursor: string): void {
    this.#subscriptions.at(cursor)
  }

  protected override advise(reason: GapReason): string {
    return ADVICE[reason]
  }

  protected override closing(): void {
    this.#subscriptions.fail(new Error('The feed is closed'))
    this.#ended.abort()
  }

  subscribe(channel: string, options: SubscribeOptions = {}): Promise<void> {
    return this.#subscriptions.subscribe(channel, options)
  }

  unsubscribe(channel: string): Promise<void> {
    return this.#subscriptions.unsubscribe(channel)
  }

  publish(channel: string, data: unknown, options: PublishOptions = {}): Promise<{ cursor: string }> {
    return this.#publisher.publish(channel, data, options)
  }
}
