import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { Batch, Form } from '../bus/batch.ts'
import type { Gap } from '../bus/bound.ts'
import { chunk, events, eventsChunk, rawEvents, rawEventsChunk } from '../bus/forms.ts'
import { Reader, type Sink } from '../bus/reader.ts'
import { NOWHERE } from '../bus/roster.ts'
import type { Ask } from './ask.ts'
import { Connection, type Guest } from './client-gone.ts'
import { forgetLong } from './forget.ts'
import { ownSocket, plainStream } from './internals.ts'
import { Outlet } from './outlet.ts'
import type { Held } from './readers.ts'
import { retryCut } from './retry.ts'
import type { Service } from './service.ts'
import type { Spoke } from './wheel.ts'

/** Milliseconds that a client has to take what waits for it when its stream is ended. */
const GRACE = 600

/** No empty line behind it: careless parsers take the two together for a message that is empty. */
const HEARTBEAT = ':\n'
const HEARTBEAT_CHUNK = chunk(HEARTBEAT)

/**
 * A stream of server-sent events. Over HTTP/1.1 its chunks are made once for all readers and go to the socket itself;
 * `response.write` would make three small writes of each.
 */
export class EventStream extends Outlet implements Sink, Held, Spoke, Guest {
  slot: Spoke['slot']
  indexInSlot = NOWHERE
  indexInReaders = NOWHERE
  indexAtConnection = NOWHERE
  readonly #service: Service
  readonly #connection: Connection
  readonly #response: ServerResponse
  readonly #reader: Reader
  readonly #form: Form
  /** Whether we make the chunks. */
  readonly #chunks: boolean

  constructor(
    service: Service,
    request: FastifyRequest,
    response: ServerResponse,
    ask: Ask,
    headers: OutgoingHttpHeaders,
  ) {
    const { bus, unread, readers, guard, heartbeat } = service
    const { log } = bus
    const asked = ask.start ?? 'now'
    // The place asked for, also at a hole: the gap follows with its own.
    const start =
      typeof asked === 'string' ? { epoch: log.epoch, seq: log.locate(asked, ask.channels).seq } : asked
    const place = `${start.epoch}.${start.seq}`
    const hello = `event: ready\nretry: ${retryCut()}\nid: ${place}\ndata: {"cursor":"${place}"}\n\n`

    // Headers that are set one by one would stay in memory as long as the stream.
    response.writeHead(200, headers)
    response.write(hello)
    request.raw.socket.setTimeout(0)
    const socket = ownSocket(response)
    super(socket ?? plainStream(response), unread)
    this.#service = service
    this.#connection = Connection.of(request.raw)
    this.#response = response
    this.#chunks = socket !== undefined
    if (this.#chunks) this.#form = ask.raw ? rawEventsChunk : eventsChunk
    else this.#form = ask.raw ? rawEvents : events
    this.#reader = new Reader(log, ask.channels, start, this)
    this.#connection.hold(this)
    // The app may end the stream by itself.
    response.on('close', () => this.#release())
    readers.hold(this, request, guard.grantOf(request).permit)
    forgetLong(request)
    heartbeat.sse.add(this)
    this.watch()
    this.#reader.resume()
  }

  batch(batch: Batch): void {
    this.#service.meter?.delivered('sse', batch.entries.length)
    this.send(batch.as(this.#form))
  }

  gap({ reason, seq }: Gap): void {
    const cursor = this.#service.bus.log.cursor(seq)
    // The id behind the data, as in a message: a hole that was cut off there would never be told.
    this.#tell(`event: gap\ndata: {"reason":"${reason}","cursor":"${cursor}"}\nid: ${cursor}\n\n`)
  }

  #tell(text: string): void {
    this.send(this.#chunks ? chunk(text) : text)
  }

  protected override drained(): void {
    this.#reader.resume()
  }

  beat(): void {
    if (!this.full) this.send(this.#chunks ? HEARTBEAT_CHUNK : HEARTBEAT)
  }

  protected override slow(): void {
    this.#release()
    this.#response.destroy()
  }

  goAway(): void {
    // It counts at its line: with an empty one behind it, careless parsers would take it for a message.
    this.#tell(`retry: ${retryCut()}\n`)
    this.revoke()
  }

  revoke(): void {
    this.#release()
    const response = this.#response
    const { socket } = response
    response.end()
    // A kept-alive connection would hold up the server's close; over HTTP/2 the session goes on.
    if (this.#chunks) socket?.destroySoon()
    const timer = setTimeout(() => response.destroy(), GRACE)
    response.once('close', () => clearTimeout(timer))
  }

  clientGone(): void {
    this.#release()
  }

  #release(): void {
    this.#connection.release(this)
    this.#reader.end()
    this.shut()
    this.#service.heartbeat.sse.delete(this)
    this.#service.readers.release(this)
  }
}
