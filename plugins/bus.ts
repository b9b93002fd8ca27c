import { setMaxListeners } from 'node:events'
import type { FastifyInstance } from 'fastify'
import type { Accepted, Bus, Occupancy } from '../bus/bus.ts'
import { checkChannel } from '../bus/channel.ts'
import { ERR_OPTION } from '../bus/errors.ts'
import { checkKey, checkPublisher } from '../bus/idempotency-keys.ts'
import type { Message } from '../bus/message.ts'
import { type Page, type ReadOptions, readPage } from '../bus/page.ts'
import { DELETE, endPayload, type Payload, payloadOf, REOPEN } from '../bus/payload.ts'
import { type Ended, type SubscribeOptions, subscribe } from '../bus/subscribe.ts'
import type { Stats } from '../routes/http/figures.ts'
import type { DataOf } from '../types/channels.ts'

/** Options of a publish. */
export interface PublishOptions {
  /**
   * An idempotency key, 1 to 128 characters. A repeat with the same data publishes nothing and returns the first
   * result.
   */
  key?: string
  /** The owner of the key, 1 to 256 characters. Keys of different owners are independent. */
  publisher?: string
}

/** `app.tidings`. */
export class Tidings {
  readonly bus: Bus
  readonly #figures: { readonly stats: Stats }
  readonly #closing = new AbortController()

  constructor(bus: Bus, figures: { readonly stats: Stats }) {
    this.bus = bus
    this.#figures = figures
    // Each loop adds a listener: many of them are no leak.
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
    const { epoch, seq, time } = await this.#publish(channel, () => payloadOf(data), options)
    return { cursor: `${epoch}.${seq}`, channel, time, data }
  }

  /**
   * Ends a channel. Readers get the end. Publishes are refused until the channel is reopened, or retention removes the
   * end.
   * @param data the last data of the channel; undefined: none
   * @returns the accepted end
   * @throws as `publish`; TIDINGS_ERR_ENDED if the channel has ended
   */
  async end<C extends string>(channel: C, data?: DataOf<C>, options: PublishOptions = {}): Promise<Ended> {
    const payload = () => endPayload(data === undefined ? undefined : payloadOf(data))
    const { epoch, seq, time } = await this.#publish(channel, payload, options)
    return { cursor: `${epoch}.${seq}`, channel, time, ...(data !== undefined && { data }) }
  }

  /** Reopens a channel that has ended. The data of its end, if any, becomes a message. */
  async reopen(channel: string): Promise<void> {
    await this.#publish(channel, () => REOPEN, {})
  }

  /**
   * Removes every message of a channel, and its end. Readers that have not read them get a gap. Idempotency keys stay
   * until they expire.
   */
  async delete(channel: string): Promise<void> {
    await this.#publish(channel, () => DELETE, {})
  }

  /** @throws at once, and later */
  #publish(channel: string, payload: () => Payload, { key, publisher }: PublishOptions): Promise<Accepted> {
    checkChannel(channel)
    if (key !== undefined) checkKey(key)
    if (publisher !== undefined) checkPublisher(publisher)
    return this.bus.publish(channel, payload(), key, publisher)
  }

  /**
   * The cursor of the log's head. It covers every message that this process has published or received. Take it before a
   * snapshot of a database: a client then resumes from it after the snapshot.
   */
  cursor(): string {
    return this.bus.log.nothing.cursor
  }

  /**
   * Reads one page of messages after a cursor, like `/poll`; see ReadOptions.
   * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR, TIDINGS_ERR_LIMIT, TIDINGS_ERR_GAP, TIDINGS_ERR_UNAVAILABLE
   */
  async read<T = never, C extends string = string>(
    channel: C | readonly C[],
    options: ReadOptions = {},
  ): Promise<Page<[T] extends [never] ? DataOf<C> : T>> {
    return readPage(this.bus, channel, options)
  }

  /**
   * Number of live readers of a channel at this instance: streams, sockets, loops, and held long polls. A long poll that
   * was answered is counted until its client is back, for some seconds at most. A reader that is still catching up is
   * not counted.
   */
  readers(channel: string): number {
    return this.bus.log.groups.readersOf(checkChannel(channel))
  }

  /**
   * Number of live readers of a channel at all instances that share the log, and its age. The others report their
   * numbers every two seconds.
   * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_UNAVAILABLE
   */
  async occupancy(channel: string): Promise<Occupancy> {
    const readers = this.readers(channel)
    return (await this.bus.occupancy?.(channel)) ?? { readers, at: Date.now() }
  }

  /** The content of `GET /stats`. Transports and event-loop delay are metered only if the option `stats` is set. */
  stats(): Stats {
    return this.#figures.stats
  }

  /**
   * Iterates over the messages of channels in log order; see SubscribeOptions. The iteration ends when the loop is
   * left, its signal aborts, or the app closes.
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

/** Milliseconds of the plugin timeout that are left to Fastify. */
const MARGIN = 500

/** Maximum delay of a timer. */
const MAX_MS = 0x7fff_ffff

/** Number of registrations per bus. The last one closes the bus. */
const users = new WeakMap<Bus, number>()

/**
 * Decorates the app, opens the bus, and closes it with the app.
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
      `'${decorator}' is taken: use another name for this registration, or the same bus`,
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
  // Fastify's own timeout error would not say why.
  const { pluginTimeout } = app.initialConfig
  const patience = pluginTimeout ? Math.max(pluginTimeout - MARGIN, 1) : MAX_MS
  await bus.open?.({ patience, warn: (message) => app.log.warn(message) })
}
