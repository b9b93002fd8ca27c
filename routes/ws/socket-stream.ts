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
 * Writes messages to a WebSocket. Frames are encoded once for all readers and written to the TCP socket. Only pings and
 * the close go through ws, so that the order is kept.
 */
export class SocketStream extends SocketConnection implements Sink {
  readonly #reader: Reader
  readonly encoder: Encoder
  /** Whether frames are bare payloads. */
  readonly raw: boolean
  readonly #may: Asker
  readonly #log: FastifyBaseLogger
  readonly #path: string | undefined
  /** Created with the client's first frame: most clients send none. */
  #frames: ClientFrames | undefined

  /** @param deflated the encoders for permessage-deflate, if it may be negotiated */
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
    // The place of the request, at a gap too: the gap follows with its own cursor.
    if (!query.raw) this.#send(`{"type":"ready","cursor":"${bus.log.cursorAt(start, query.channels)}"}`)
  }

  /** Starts reading. */
  start(): void {
    this.#reader.resume()
  }

  /** The socket's place: every earlier message of its channels has been sent. */
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
    // The raw form closes at the end of its channel.
    if (!this.raw) this.#send(endFrame(end, cursor))
  }

  finished(): void {
    if (this.raw) this.close(1000, 'the channel has ended')
  }

  gap({ reason, seq }: Gap, channel?: string): void {
    const cursor = this.context.bus.log.cursor(seq)
    gapTold('ws', reason, cursor)
    if (this.raw) {
      // The raw form can neither report a gap nor resume from it.
      this.close(4010, cursor)
      return
    }
    const more = channel === undefined ? '' : `,"channel":"${channel}"${refOf(this.#frames?.ref)}`
    this.#send(`{"type":"gap","reason":"${reason}","cursor":"${cursor}"${more}}`)
  }

  #send(text: string): void {
    this.write(textFrame(text))
  }

  /** Answers a frame of the client. @param ref the source text of its `ref` */
  answer(type: string, ref: string | undefined, members: string): void {
    this.#send(`{"type":"${type}"${refOf(ref)}${members}}`)
  }

  /** Adds a channel. Resolves when its replay is complete, or the socket has closed. */
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

  /** Sends an error frame. */
  refuse(error: FastifyError, ref: string | undefined): void {
    // An error of the app may have only a status.
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
