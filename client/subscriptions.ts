import { isChannel, isStart, order } from './cursor.ts'
import type { FrameSocket } from './frame-socket.ts'
import type { Host } from './host.ts'
import type { LinkCoordinator } from './link-coordinator.ts'
import { PollLink } from './poll.ts'
import type { Settings } from './settings.ts'
import type { SubscribeOptions } from './types.ts'

/** A channel being added. */
interface PendingSubscription {
  readonly channel: string
  /** Position of its replay. */
  cursor: string | undefined
  /** The link that replays it. */
  on: object | undefined
  resolve(): void
  reject(error: unknown): void
}

/** Adds and removes channels, one call at a time. */
export class Subscriptions {
  /** Removed channels: their messages are dropped. */
  readonly left = new Set<string>()
  readonly #settings: Settings
  readonly #links: LinkCoordinator
  readonly #host: Host
  readonly #socket: () => FrameSocket | undefined
  #joining: PendingSubscription | undefined
  #replay: PollLink | undefined
  #line: Promise<unknown> = Promise.resolve()

  /** @param socket returns the open socket, if any */
  constructor(settings: Settings, links: LinkCoordinator, host: Host, socket: () => FrameSocket | undefined) {
    this.#settings = settings
    this.#links = links
    this.#host = host
    this.#socket = socket
  }

  subscribe(channel: string, { cursor }: SubscribeOptions): Promise<void> {
    return this.#next(channel, false, () => {
      if (cursor !== undefined && !isStart(cursor))
        throw new TypeError("'cursor' must be a cursor, 'earliest' or 'now'")
      if (this.#host.channels.length > 31) throw new Error('The limit is 32 channels')
      return new Promise((resolve, reject) => {
        this.#joining = { channel, cursor, on: undefined, resolve, reject }
        this.go()
      })
    })
  }

  unsubscribe(channel: string): Promise<void> {
    return this.#next(channel, true, async () => {
      const host = this.#host
      if (!host.channels[1]) throw new Error(`'${channel}' is the only channel: close the feed`)
      host.channels = host.channels.filter((other) => other !== channel)
      this.left.add(channel)
      const socket = this.#socket()
      // If the socket closes first, the next one starts without the channel.
      if (socket) await socket.request(`"type":"unsubscribe","channel":"${channel}"`).catch(() => {})
      else if (this.#links.main) this.#anew()
    })
  }

  /** @param reads whether the channel must be among those that the feed reads */
  #next(channel: string, reads: boolean, then: () => Promise<void>): Promise<void> {
    const host = this.#host
    const call = this.#line.then(() => {
      if (!isChannel(channel)) throw new TypeError("'channel' must be 1 to 128 letters, digits and _ . : ~ -")
      if (host.readyState > 1) throw new Error('The feed is closed')
      if (host.channels.includes(channel) !== reads)
        throw new Error(`'${channel}' is ${reads ? 'not read' : 'already read'}`)
      return then()
    })
    this.#line = call.catch(() => {})
    return call
  }

  #anew(): void {
    this.#links.stop()
    this.#links.begin(this.#links.transport)
  }

  /** Starts the pending subscription once a link is in use. */
  go(): void {
    const joining = this.#joining
    const { main } = this.#links
    const socket = this.#socket()
    if (!joining || !main || joining.on === main) return
    const { channel, cursor } = joining
    joining.on = main
    if (socket) {
      this.left.delete(channel)
      socket.join(channel, cursor).then(
        () => this.#joined(),
        // If the socket closes, the next one subscribes.
        (error) => error.code && this.fail(error),
      )
    } else if (!cursor || cursor === 'now') {
      this.#joined()
      this.#anew()
    } else {
      this.#host.hold('joining')
      this.#poll(joining, cursor)
    }
  }

  /** Replays the channel up to the feed's position over a link of its own. */
  #poll(joining: PendingSubscription, cursor: string): void {
    const host = this.#host
    const { channel } = joining
    const done = (error?: unknown) => {
      this.#replay?.close()
      if (error) this.fail(error)
      else this.#joined()
      host.resume(0)
    }
    this.left.delete(channel)
    this.#replay = new PollLink(this.#settings, 'poll', [channel], cursor, {
      slack: 1,
      ready() {},
      ended: (_link, end) => host.ended(end),
      caughtUp: () => done(),
      message(link, message) {
        link.at = message.cursor
        // The feed's own link delivers the rest.
        if (order(message.cursor, host.place) > 0) done()
        else host.message(message, true)
      },
      place(link, cursor) {
        link.at = cursor
      },
      gap(link, reason, cursor) {
        link.at = cursor
        return order(cursor, host.place) > 0 ? 0 : host.gap(reason, cursor, channel)
      },
      skipped: (_link, error) => host.fault(error),
      failed: (_link, { message, ...failure }) => done(Object.assign(new Error(message), failure)),
    })
    void this.#replay.start()
  }

  /** Records the position of the replay. */
  at(cursor: string): void {
    if (this.#joining) this.#joining.cursor = cursor
  }

  #joined(): void {
    const { channel, resolve } = this.#joining!
    this.#host.channels = [...this.#host.channels, channel]
    this.#joining = undefined
    resolve()
  }

  fail(error: unknown): void {
    this.#replay?.close()
    this.#joining?.reject(error)
    this.#joining = undefined
  }
}
