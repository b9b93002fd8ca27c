import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Batch } from '../bus/batch.ts'
import type { Bound } from '../bus/bound.ts'
import { PAGE_FRAME } from '../bus/forms.ts'
import type { View } from '../bus/view.ts'
import { refuseGap, sendNothing, sendPage, sendRaw } from './answer.ts'
import { type Ask, parseLimit } from './ask.ts'
import { etagOf, tag } from './etag.ts'
import { queryOf } from './query.ts'
import type { Service } from './service.ts'

/** Enough to see that something is there. */
const ONE: Bound = { limit: 1, bytes: 0 }

/** One request for what stands after a cursor, and its one answer, at once or later. */
export class Poll {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly view: View
  readonly #service: Service
  readonly #transport: 'poll' | 'longpoll'
  readonly #bound: Bound
  readonly #raw: boolean

  /** @throws TIDINGS_ERR_LIMIT */
  constructor(
    service: Service,
    transport: 'poll' | 'longpoll',
    bounds: Bounds,
    request: FastifyRequest,
    reply: FastifyReply,
    ask: Ask,
  ) {
    const { limit, maxLimit } = service.settings.poll
    this.#service = service
    this.#transport = transport
    this.#raw = ask.raw
    this.request = request
    this.reply = reply
    const messages = parseLimit(queryOf(request), limit, maxLimit)
    this.#bound = bounds.of(ask.raw ? 1 : messages)
    this.view = service.bus.log.views.of(ask.channels)
  }

  /** Whether something stands after a place, without reading it all. */
  finds(after: number): boolean {
    return this.view.read(after, ONE).entries.length > 0
  }

  /**
   * Answers with what stands after a place.
   * @returns whether something does
   * @throws TIDINGS_ERR_GAP
   */
  answer(after: number): boolean {
    const { log } = this.#service.bus
    const gap = this.view.gapAfter(after)
    if (gap !== undefined) refuseGap(log, this.reply, gap)
    const batch = this.view.read(after, this.#bound)
    const [first] = batch.entries
    if (first === undefined) return false
    log.turns.charge(batch)
    this.#service.meter?.delivered(this.#transport, batch.entries.length)
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
    const { log } = this.#service.bus
    this.#tag(log.head)
    sendNothing(this.request, this.reply, log, asked)
  }

  /** Gives a client a place to ask from. An empty body would be a payload in the raw form. */
  place(): void {
    const { log } = this.#service.bus
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
    const { log } = this.#service.bus
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
