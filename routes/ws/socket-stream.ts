import type { FastifyBaseLogger, FastifyError, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { Batch, Encoder } from '../../bus/batch.ts'
import type { Gap } from '../../bus/bound.ts'
import type { Start } from '../../bus/cursor.ts'
import type { End } from '../../bus/message.ts'
import { Reader, type Sink } from '../../bus/reader.ts'
import type { Context } from '../http/context.ts'
import { type Asker, statusOf } from '../http/guard.ts'
import type { ReadQuery } from '../http/read-query.ts'
import { gapTold } from '../http/reader-channels.ts'
import { ClientFrames } from './client-frames.ts'
import { endFrame, type FrameEncoders, frames, rawFrames, textFrame } from './encoder.ts'
import { frameChannel } from './frame-channel.ts'
import { SocketConnection } from './socket-connection.ts'

/**
 * What goes out on a WebSocket. Frames are made once for all readers and go to the socket itself; only pings and the
 * close go through ws, so that nothing can overtake anything.
 */
export class SocketStream extends SocketConnection implements Sink {
  readonly #reader: Reader
  readonly encoder: Encoder
  /** Whether frames are payloads, with nothing around them. */
  readonly raw: boolean
  readonly #may: Asker
  readonly #log: FastifyBaseLogger
  readonly #path: string | undefined
  /** Not before the client has said something: most never do. */
  #frames: ClientFrames | undefined

  /** @param deflated the encoders of a socket with permessage-deflate, where that is offered */
  constructor(
    context: Context,
    request: FastifyRequest,
    ws: WebSocket,
    query: ReadQuery,
    deflated: FrameEncoders | undefined,
  ) {
    super(context, request, ws)
    const { bus, guard } = context
    this.raw = query.raw
    const plain = { frames, rawFrames }
    const encoders = ws.extensions === '' ? plain : (deflated ?? plain)
    this.encoder = query.raw ? encoders.rawFrames : encoders.frames
    this.#may = guard.asker(request)
    this.#log = request.log
    this.#path = frameChannel.hasSubscribers ? request.url : undefined
    const start = query.start ?? 'now'
    this.#reader = new Reader(bus.log, query.channels, start, this)
    // The place asked for, also at a hole: the gap follows with its own.
    if (!query.raw) this.#send(`{"type":"ready","cursor":"${bus.log.cursorAt(start, query.channels)}"}`)
  }

  /** Begins to read. */
  start(): void {
    this.#reader.resume()
  }

  /** The socket's place: all of its channels before it has been sent. */
  tellPlace(): string {
    return this.#reader.tellPlace()
  }

  get channels(): readonly string[] {
    return this.#reader.channels
  }

  protected override transport(): string {
    return 'ws'
  }

  batch(batch: Batch): void {
    this.context.meter?.delivered('ws', batch.messages)
    this.write(batch.as(this.encoder))
  }

  end(end: End, cursor: string): void {
    // The raw form closes with it.
    if (!this.raw) this.#send(endFrame(end, cursor))
  }

  finished(): void {
    if (this.raw) this.close(1000, 'the channel has ended')
  }

  gap({ reason, seq }: Gap, channel?: string): void {
    const cursor = this.context.bus.log.cursor(seq)
    gapTold('ws', reason, cursor)
    if (this.raw) {
      // It can't tell of a hole, nor go on from one.
      this.close(4010, cursor)
      return
    }
    const more = channel === undefined ? '' : `,"channel":"${channel}"${refOf(this.#frames?.ref)}`
    this.#send(`{"type":"gap","reason":"${reason}","cursor":"${cursor}"${more}}`)
  }

  #send(text: string): void {
    this.write(textFrame(text))
  }

  /** Answers a client's frame. @param ref its text, as it was sent */
  answer(type: string, ref: string | undefined, members: string): void {
    this.#send(`{"type":"${type}"${refOf(ref)}${members}}`)
  }

  /** Reads this channel, too. Resolves when its replay has been sent, or the socket has ended. */
  subscribe(channel: string, start: Start, ref: string | undefined): Promise<void> {
    return new Promise((resolve) => {
      this.#reader.add(channel, start, () => {
        this.answer('subscribed', ref, `,"channel":"${channel}","cursor":"${this.tellPlace()}"`)
        resolve()
      })
    })
  }

  unsubscribe(channel: string, ref: string | undefined): void {
    this.#reader.remove(channel)
    this.answer('unsubscribed', ref, `,"channel":"${channel}"`)
  }

  protected override message(data: Buffer, binary: boolean): void {
    this.#frames ??= new ClientFrames(this.context, this.#may, this.#log, this.#path, this.ws, this)
    this.#frames.take(data, binary)
  }

  protected override tooFast(error: FastifyError): void {
    if (!this.raw) this.refuse(error, undefined)
  }

  /** Tells that a frame was refused. */
  refuse(error: FastifyError, ref: string | undefined): void {
    // An error of the user's may have a status alone.
    const { code = statusOf(error), message } = error
    const name = JSON.stringify(String(code))
    this.answer('error', ref, `,"code":${name},"message":${JSON.stringify(message)}`)
  }

  protected override drained(): void {
    this.#reader.resume()
  }

  protected override ended(): void {
    this.#reader.end()
  }
}

function refOf(ref: string | undefined): string {
  return ref === undefined ? '' : `,"ref":${ref}`
}
