import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { Batch, Encoder } from '../../bus/batch.ts'
import type { Gap } from '../../bus/bound.ts'
import { NOWHERE } from '../../bus/indexed-set.ts'
import type { End } from '../../bus/message.ts'
import { Reader, type Sink } from '../../bus/reader.ts'
import { BackpressuredWriter } from '../http/backpressured-writer.ts'
import { Connection, type Guest } from '../http/connection.ts'
import type { Context } from '../http/context.ts'
import { forgetLong } from '../http/forget.ts'
import type { HeartbeatMember } from '../http/heartbeat-timer.ts'
import { plainStream } from '../http/node-internals.ts'
import type { OpenConnection } from '../http/open-connections.ts'
import type { ReadQuery } from '../http/read-query.ts'
import { type CloseReason, gapTold, readerClosed, readerOpened } from '../http/reader-channels.ts'
import { retryCut } from '../http/retry.ts'
import { chunk, endEvent, events, eventsChunk, rawEvents, rawEventsChunk } from './encoder.ts'
import { Gzip, type GzipEncoders, type Part, plainPart } from './gzip.ts'

/** Milliseconds. */
const DAY = 86_400_000

/** Milliseconds that a client has to read the rest of its stream. */
const GRACE = 600

/** No empty line follows: some parsers would report an empty message. */
const HEARTBEAT = ':\n'
const HEARTBEAT_CHUNK = chunk(HEARTBEAT)
const HEARTBEAT_PART = plainPart(HEARTBEAT, false)
const HEARTBEAT_PART_CHUNK = plainPart(HEARTBEAT, true)

/** A gzip stream and the encoders of its batches. */
interface Compressed {
  readonly gzip: Gzip
  readonly encoder: Encoder<Part>
}

/**
 * A stream of server-sent events. Over HTTP/1.1 its chunks are encoded once for all readers and written to the socket:
 * `response.write` would make three small writes of each.
 */
export class EventStream extends BackpressuredWriter implements Sink, OpenConnection, HeartbeatMember, Guest {
  slot: HeartbeatMember['slot']
  indexInSlot = NOWHERE
  indexInReaders = NOWHERE
  indexAtConnection = NOWHERE
  readonly #context: Context
  readonly #connection: Connection
  readonly #response: ServerResponse
  readonly #reader: Reader
  readonly #plain: Encoder
  readonly #compressed: Compressed | undefined
  /** Whether this class writes the chunks, not node:http. */
  readonly #chunks: boolean

  /** @param encoders the gzip encoders, if the client accepts gzip */
  constructor(
    context: Context,
    request: FastifyRequest,
    response: ServerResponse,
    query: ReadQuery,
    headers: OutgoingHttpHeaders,
    encoders: GzipEncoders | undefined,
  ) {
    const { bus, unread, readers, guard, heartbeat } = context
    const { log } = bus
    const start = query.start ?? 'now'
    // The place of the request, at a gap too: the gap follows with its own cursor.
    const place = log.cursorAt(start, query.channels)
    const hello = `event: ready\nretry: ${retryCut()}\nid: ${place}\ndata: {"cursor":"${place}"}\n\n`

    const gzip = encoders && new Gzip()

    // Headers set one by one would stay in memory as long as the stream.
    response.writeHead(200, headers)
    response.write(gzip?.begin(hello) ?? hello)
    request.raw.socket.setTimeout(0)
    const socket = unread.path.ownSocket(response)
    super(socket ?? plainStream(response), unread)
    this.#context = context
    this.#connection = Connection.of(request.raw)
    this.#response = response
    this.#chunks = socket !== undefined
    if (this.#chunks) this.#plain = query.raw ? rawEventsChunk : eventsChunk
    else this.#plain = query.raw ? rawEvents : events
    this.#compressed = gzip && { gzip, encoder: encoderOf(encoders!, query.raw, this.#chunks) }
    this.#reader = new Reader(log, query.channels, start, this)
    this.#connection.hold(this)
    // The app may end the response by itself.
    response.on('close', () => this.#release('client'))
    readers.hold(this, request, guard.grantOf(request).permit)
    readerOpened('sse', this, request)
    forgetLong(request)
    heartbeat.sse.add(this)
    this.watch()
    this.#reader.resume()
  }

  get encoder(): Encoder<unknown> {
    return this.#compressed?.encoder ?? this.#plain
  }

  batch(batch: Batch): void {
    this.#context.meter?.delivered('sse', batch.messages)
    if (this.#compressed === undefined) this.send(batch.as(this.#plain))
    else this.send(this.#compressed.gzip.take(batch.as(this.#compressed.encoder)))
  }

  end(end: End, cursor: string): void {
    this.#tell(endEvent(end, cursor))
  }

  finished(): void {
    // An EventSource reconnects all the same, after a day.
    this.#tell(`retry: ${DAY}\n`)
    // A slow client gets the usual time to read the rest.
    this.#end('ended', this.#context.unread.slow.timeout)
  }

  gap({ reason, seq }: Gap): void {
    const cursor = this.#context.bus.log.cursor(seq)
    gapTold('sse', reason, cursor)
    // The id follows the data, as in a message: a gap that was cut off there would never be reported.
    this.#tell(`event: gap\ndata: {"reason":"${reason}","cursor":"${cursor}"}\nid: ${cursor}\n\n`)
  }

  #tell(text: string): void {
    const gzip = this.#compressed?.gzip
    if (gzip === undefined) this.send(this.#chunks ? chunk(text) : text)
    else this.send(gzip.take(plainPart(text, this.#chunks)))
  }

  protected override drained(): void {
    this.#reader.resume()
  }

  beat(): void {
    if (this.full) return
    const gzip = this.#compressed?.gzip
    if (gzip === undefined) this.send(this.#chunks ? HEARTBEAT_CHUNK : HEARTBEAT)
    else this.send(gzip.take(this.#chunks ? HEARTBEAT_PART_CHUNK : HEARTBEAT_PART))
  }

  protected override slow(): void {
    this.#release('slow')
    this.#response.destroy()
  }

  goAway(): void {
    // `retry:` applies at its line. With an empty line behind it, some parsers would report a message.
    this.#tell(`retry: ${retryCut()}\n`)
    this.#end('closing', GRACE)
  }

  revoke(): void {
    this.#end('revoked', GRACE)
  }

  /** @param grace milliseconds that the client has to read the rest */
  #end(reason: CloseReason, grace: number): void {
    if (this.#compressed !== undefined) this.send(this.#compressed.gzip.end(this.#chunks))
    this.#release(reason)
    const response = this.#response
    const { socket } = response
    response.end()
    // A kept-alive connection would delay the server's close. At other ends the client may use it again: the head has
    // not told it that the connection closes. Over HTTP/2 the session continues.
    if (this.#chunks && reason === 'closing') socket?.destroySoon()
    const timer = setTimeout(() => response.destroy(), grace)
    response.once('close', () => clearTimeout(timer))
  }

  clientGone(): void {
    this.#release('client')
  }

  #release(reason: CloseReason): void {
    if (this.indexInReaders !== NOWHERE) readerClosed('sse', this, reason)
    this.#connection.release(this)
    this.#reader.end()
    this.shut()
    this.#context.heartbeat.sse.delete(this)
    this.#context.readers.release(this)
  }
}

function encoderOf(encoders: GzipEncoders, raw: boolean, chunks: boolean): Encoder<Part> {
  if (chunks) return raw ? encoders.rawEventsChunk : encoders.eventsChunk
  return raw ? encoders.rawEvents : encoders.events
}
