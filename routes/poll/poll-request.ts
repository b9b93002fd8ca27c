import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Batch } from '../../bus/batch.ts'
import type { Bound } from '../../bus/bound.ts'
import type { ReaderGroup } from '../../bus/reader-group.ts'
import { refuseGap, sendNothing, sendPage, sendRaw } from '../http/answer.ts'
import type { Context } from '../http/context.ts'
import { PAGE_FRAME } from '../http/encoders.ts'
import { etagOf, tag } from '../http/etag.ts'
import { queryOf } from '../http/query.ts'
import { parseLimit, type ReadQuery } from '../http/read-query.ts'

/** Enough to see that something is there. */
const ONE: Bound = { limit: 1, bytes: 0 }

/** One request for what stands after a cursor, and its one answer, at once or later. */
export class Poll {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly group: ReaderGroup
  readonly #context: Context
  readonly #transport: 'poll' | 'longpoll'
  readonly #bound: Bound
  readonly #raw: boolean

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

  /** Whether something stands after a place, without reading it all. */
  finds(after: number): boolean {
    return this.group.read(after, ONE).entries.length > 0
  }

  /**
   * Answers with what stands after a place.
   * @returns whether something does
   * @throws TIDINGS_ERR_GAP
   */
  answer(after: number): boolean {
    const { log } = this.#context.bus
    const gap = this.group.gapAfter(after)
    if (gap !== undefined) refuseGap(log, this.reply, gap)
    const batch = this.group.read(after, this.#bound)
    const [first] = batch.entries
    if (first === undefined) return false
    log.turns.charge(batch)
    this.#context.meter?.delivered(this.#transport, batch.entries.length)
    if (this.#raw) {
      this.#tag(first.seq)
      sendRaw(this.reply, log, first)
    } else {
      this.#tag(batch)
      sendPage(this.reply, batch)
    }
    return true
  }

  /** Answers that nothing stands after a place: the client goes on from the head. */
  nothing(asked: number): void {
    const { log } = this.#context.bus
    this.#tag(log.head)
    sendNothing(this.request, this.reply, log, asked)
  }

  /** Gives a client a place to ask from. An empty body would be a payload in the raw form. */
  place(): void {
    const { log } = this.#context.bus
    if (this.#raw) {
      this.nothing(log.head)
      return
    }
    this.#tag(log.head)
    sendPage(this.reply, log.nothing)
  }

  /** A poll's answer can be asked for again by its tag; one that was waited for can't. */
  #tag(place: Batch | number): void {
    if (this.#transport !== 'poll') return
    const { log } = this.#context.bus
    this.reply.header('etag', typeof place === 'number' ? etagOf(log.cursor(place)) : place.as(tag))
  }
}

/**
 * How much one page carries. The same limit gives the same object, by which the log knows a read that it has just
 * answered; the limits that clients may name are few.
 */
export class Bounds {
  readonly #bytes: number
  readonly #bounds = new Map<number, Bound>()

  /** @param bytes of a whole body */
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
