import { setMaxListeners } from 'node:events'
import type { FastifyInstance } from 'fastify'
import type { Bus } from '../bus/bus.ts'
import { checkChannel } from '../bus/channel.ts'
import { ERR_OPTION } from '../bus/errors.ts'
import { checkKey, checkPublisher } from '../bus/idempotency-keys.ts'
import type { Message } from '../bus/message.ts'
import { type Page, type ReadOptions, readPage } from '../bus/page.ts'
import { DELETE, endPayload, type Payload, payloadOf, REOPEN } from '../bus/payload.ts'
import { type Ended, type SubscribeOptions, subscribe } from '../bus/subscribe.ts'
import type { Stats } from '../routes/http/figures.ts'
import type { DataOf } from '../types/channels.ts'

/** Whose idempotency key a publish has. */
export interface PublishOptions {
  /** The same key with the same data publishes once, and gets the first answer: 1 to 128 characters. */
  key?: string
  /** Whose key it is, 1 to 256 characters: keys of different publishers never meet. */
  publisher?: string
}

/** What `app.tidings` is. */
export class Tidings {
  readonly bus: Bus
  readonly #figures: { readonly stats: Stats }
  readonly #closing = new AbortController()

  constructor(bus: Bus, figures: { readonly stats: Stats }) {
    this.bus = bus
    this.#figures = figures
    // Each loop listens to it: many are no leak.
    setMaxListeners(0, this.#closing.signal)
  }

  /**
   * Publishes to a channel: a string as text, a Uint8Array as bytes, anything else as JSON.
   * @returns the accepted message
   * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_DATA, TIDINGS_ERR_KEY, TIDINGS_ERR_KEY_REUSED, TIDINGS_ERR_KEYS_FULL,
   * TIDINGS_ERR_PUBLISHER, TIDINGS_ERR_TOO_LARGE, TIDINGS_ERR_ENDED, TIDINGS_ERR_CLOSED, TIDINGS_ERR_UNAVAILABLE
   */
  async publish<C extends string, T extends DataOf<C>>(
    channel: C,
    data: T,
    options: PublishOptions = {},
  ): Promise<Message<T>> {
    return { ...(await this.#publish(channel, () => payloadOf(data), options)), data }
  }

  /**
   * Ends a channel: readers are told, and nothing can be published to it any more until it is reopened, or the end is
   * no longer kept.
   * @param data the last that comes in it; undefined: nothing does
   * @returns the accepted end
   * @throws as `publish` does: TIDINGS_ERR_ENDED where it has ended already
   */
  async end<C extends string>(channel: C, data?: DataOf<C>, options: PublishOptions = {}): Promise<Ended> {
    const payload = () => endPayload(data === undefined ? undefined : payloadOf(data))
    return { ...(await this.#publish(channel, payload, options)), ...(data !== undefined && { data }) }
  }

  /** Lets a channel that has ended go on. The data of its end, where it had some, is a message from then on. */
  async reopen(channel: string): Promise<void> {
    await this.#publish(channel, () => REOPEN, {})
  }

  /**
   * Takes all out that a channel has, its end too. Who has not read it yet is told of a gap. Idempotency keys are
   * remembered until their time is over.
   */
  async delete(channel: string): Promise<void> {
    await this.#publish(channel, () => DELETE, {})
  }

  async #publish(
    channel: string,
    payload: () => Payload,
    { key, publisher }: PublishOptions,
  ): Promise<Omit<Message, 'data'>> {
    checkChannel(channel)
    if (key !== undefined) checkKey(key)
    if (publisher !== undefined) checkPublisher(publisher)
    const { epoch, seq, time } = await this.bus.publish(channel, payload(), key, publisher)
    return { cursor: `${epoch}.${seq}`, channel, time }
  }

  /**
   * The log's head, as a cursor: all that this process has published, or has heard of, stands up to it. Read before a
   * database is, it is where a reader of both goes on.
   */
  cursor(): string {
    return this.bus.log.nothing.cursor
  }

  /**
   * What one channel or several have after a cursor, as one page of `/poll` has it; see ReadOptions.
   * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR, TIDINGS_ERR_LIMIT, TIDINGS_ERR_GAP, TIDINGS_ERR_UNAVAILABLE
   */
  async read<T = never, C extends string = string>(
    channel: C | readonly C[],
    options: ReadOptions = {},
  ): Promise<Page<[T] extends [never] ? DataOf<C> : T>> {
    return readPage(this.bus, channel, options)
  }

  /**
   * How many readers of this instance wait for what comes next in a channel: streams, sockets, loops, and long polls
   * while they are held. One that has still to be sent what is kept is not counted yet.
   */
  readers(channel: string): number {
    return this.bus.log.groups.watchingOf(checkChannel(channel))
  }

  /** What `GET /stats` shows. Transports and the event loop's delay are metered where the option `stats` is set. */
  stats(): Stats {
    return this.#figures.stats
  }

  /**
   * The messages of one channel or several, in log order; see SubscribeOptions. Breaking out of the loop ends it, and
   * so do its signal and the app's close.
   * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR; in the loop TIDINGS_ERR_GAP, TIDINGS_ERR_UNAVAILABLE
   */
  subscribe<T = never, C extends string = string>(
    channel: C | readonly C[],
    options: SubscribeOptions = {},
  ): AsyncIterableIterator<Message<[T] extends [never] ? DataOf<C> : T>> {
    return subscribe(this.bus, channel, options, this.#closing.signal)
  }

  /** @internal Ends the loops. */
  close(): void {
    this.#closing.abort()
  }
}

/** Milliseconds that are left to Fastify of the time that a plugin may take. */
const MARGIN = 500

/** Timers hold 31 bits. */
const MAX_MS = 0x7fff_ffff

/** Registrations that use a bus: the last one closes it. */
const users = new WeakMap<Bus, number>()

/**
 * Decorates the app, ties the bus to its life, and opens it.
 * @throws TIDINGS_ERR_OPTION, TIDINGS_ERR_ENGINE
 */
export async function setUpBus(
  app: FastifyInstance,
  bus: Bus,
  decorator: string,
  figures: { readonly stats: Stats },
): Promise<void> {
  const taken = app.hasDecorator(decorator) ? app.getDecorator<unknown>(decorator) : undefined
  if (taken === undefined) app.decorate(decorator, new Tidings(bus, figures))
  else if (!(taken instanceof Tidings) || taken.bus !== bus) {
    throw new ERR_OPTION(
      'decorator',
      `'${decorator}' is taken: give this registration another name, or the same bus`,
    )
  }
  const tidings = app.getDecorator<Tidings>(decorator)

  users.set(bus, (users.get(bus) ?? 0) + 1)
  app.addHook('preClose', (done) => {
    tidings.close()
    done()
  })
  app.addHook('onClose', async () => {
    const left = users.get(bus)! - 1
    users.set(bus, left)
    if (left === 0) await bus.close()
  })
  // Fastify says of a plugin that takes longer no more than that.
  const { pluginTimeout } = app.initialConfig
  const patience = pluginTimeout ? Math.max(pluginTimeout - MARGIN, 1) : MAX_MS
  await bus.open?.({ patience, warn: (message) => app.log.warn(message) })
}
