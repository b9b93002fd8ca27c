import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Batch } from '../../bus/batch.ts'
import type { Bound } from '../../bus/bound.ts'
import type { Leases } from '../../bus/leases.ts'
import type { Place } from '../../bus/log.ts'
import type { ReaderGroup } from '../../bus/reader-group.ts'
import { refuseGap } from '../http/answer.ts'
import type { Context } from '../http/context.ts'
import { etagOf, tag } from '../http/etag.ts'
import { queryOf } from '../http/query.ts'
import { parseLimit, type ReadQuery } from '../http/read-query.ts'
import { sendEnd, sendNothing, sendPage, sendRaw } from './answers.ts'
import { PAGE_FRAME } from './encoder.ts'

/** Bound of a read that only checks for messages. */
const ONE: Bound = { limit: 1, bytes: 0 }

/** A request for the messages after a cursor, and its answer, sent at once or later. */
export class Poll {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly group: ReaderGroup
  readonly #context: Context
  readonly #transport: 'poll' | 'longpoll'
  readonly #bound: Bound
  readonly #raw: boolean
  /** Whether its client has been held. Then it counts as a reader until it comes back with the cursor of its answer. */
  #wasHeld = false

  /** @throws TIDINGS_ERR_LIMIT */
  constructor(
    context: Context,
    transport: 'poll' | 'longpoll',
    bounds: Bounds,
    request: FastifyRequest,
    reply: FastifyReply,
    query: ReadQuery,
  ) {
    const { limit, maxLimit } = context.settings.poll
    this.#context = context
    this.#transport = transport
    this.#raw = query.raw
    this.request = request
    this.reply = reply
    const messages = parseLimit(queryOf(request), limit, maxLimit)
    this.#bound = bounds.of(query.raw ? 1 : messages)
    this.group = context.bus.log.groups.of(query.channels)
  }

  /** Notes that its client was held. */
  noteHeld(): void {
    this.#wasHeld = true
  }

  /** Notes whether its client was held before, and has come back. */
  noteReturn(): void {
    const { cursor } = queryOf(this.request)
    this.#wasHeld = typeof cursor === 'string' && this.#leases.take(cursor, this.group)
  }

  /** A client that gets its answer from a server that closes goes elsewhere. */
  get #comesBack(): boolean {
    return this.#wasHeld && !this.#context.readers.closing
  }

  get #leases(): Leases {
    return this.#context.bus.log.groups.leases
  }

  /** Whether there are messages after a place. Reads at most one. */
  finds({ seq, excerpt }: Pick<Place, 'seq' | 'excerpt'>): boolean {
    return this.group.read(seq, ONE, excerpt).entries.length > 0
  }

  /**
   * Answers with the messages after a place, or that all channels have ended there.
   * @returns whether it has answered
   * @throws TIDINGS_ERR_GAP
   */
  answer({ seq, excerpt }: Pick<Place, 'seq' | 'excerpt'>): boolean {
    const { log } = this.#context.bus
    const gap = this.group.gapAfter(seq, excerpt)
    if (gap !== undefined) refuseGap(log, this.reply, gap)
    const batch = this.group.read(seq, this.#bound, excerpt)
    const [first] = batch.entries
    if (first === undefined && !this.group.over(batch)) return false
    log.turns.charge(batch)
    this.#context.meter?.delivered(this.#transport, batch.messages)
    if (this.#raw) this.#sendRaw(batch)
    else {
      this.#tag(batch)
      sendPage(this.reply, batch)
    }
    if (this.#comesBack && !this.group.over(batch)) this.#leases.grant(this.#cursorOf(batch), this.group)
    return true
  }

  #cursorOf(batch: Batch): string {
    const [first] = batch.entries
    return this.#raw && first !== undefined ? batch.cursorOf(first) : batch.cursor
  }

  /** Answers with the first payload of a batch, or with the end in its place. */
  #sendRaw(batch: Batch): void {
    const [first] = batch.entries
    const cursor = this.#cursorOf(batch)
    if (this.#transport === 'poll') this.reply.header('etag', etagOf(cursor))
    if (first === undefined || first.bare) sendEnd(this.reply, this.group.channels[0]!, cursor)
    else sendRaw(this.reply, first, cursor)
  }

  /** Answers that there are no messages after a place: the client continues from the head. */
  nothing(asked: number): void {
    const { log } = this.#context.bus
    this.#tag(log.cursor(log.head))
    if (this.#comesBack) this.#leases.grant(log.cursor(log.head), this.group)
    sendNothing(this.request, this.reply, log, asked)
  }

  /** Gives the client its first cursor. In the raw form an empty body would be a payload, so it is a 204. */
  place(): void {
    const { head } = this.#context.bus.log
    const batch = this.group.read(head, this.#bound)
    if (!this.#raw) {
      this.#tag(batch)
      sendPage(this.reply, batch)
    } else if (batch.ended.length > 0) this.#sendRaw(batch)
    else this.nothing(head)
  }

  /** Answers of `/poll` have an ETag; those of `/longpoll` have none. */
  #tag(place: Batch | string): void {
    if (this.#transport !== 'poll') return
    this.reply.header('etag', typeof place === 'string' ? etagOf(place) : place.as(tag))
  }
}

/**
 * The bound of a page. Equal limits give the same object, by which the log's cache recognises equal reads. The number
 * of limits is bounded.
 */
export class Bounds {
  readonly #bytes: number
  readonly #bounds = new Map<number, Bound>()

  /** @param bytes maximum bytes of a body */
  constructor(bytes: number) {
    this.#bytes = bytes - PAGE_FRAME
  }

  of(limit: number): Bound {
    let bound = this.#bounds.get(limit)
    if (bound === undefined) {
      bound = { limit, bytes: this.#bytes }
      this.#bounds.set(limit, bound)
    }
    return bound
  }
}
