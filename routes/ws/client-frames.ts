import type { FastifyBaseLogger, FastifyError } from 'fastify'
import type { WebSocket } from 'ws'
import { MAX_CHANNELS } from '../../bus/channel.ts'
import type { Start } from '../../bus/cursor.ts'
import {
  ERR_CHANNEL,
  ERR_INTERNAL,
  ERR_NO_PUBLISH,
  ERR_NOT_SUBSCRIBED,
  ERR_SUBSCRIBED,
} from '../../bus/errors.ts'
import { bytesPayload, type Payload, textPayload } from '../../bus/payload.ts'
import { detach } from '../../bus/text.ts'
import { checkSize } from '../http/body.ts'
import type { Context } from '../http/context.ts'
import { type Asker, isRefusal, statusOf } from '../http/guard.ts'
import type { OpenConnection } from '../http/open-connections.ts'
import { type ClientFrame, parseFrame, parseMembers } from './client-frame.ts'
import { type FrameMessage, frameChannel } from './frame-channel.ts'
import { maxFrame } from './frame-limit.ts'
import { FrameQueue, type Incoming } from './frame-queue.ts'

/** The socket of a client. */
export interface FrameTarget extends OpenConnection {
  /** Whether the socket can still send frames. */
  readonly open: boolean
  /** Whether frames are bare payloads. */
  readonly raw: boolean
  readonly channels: readonly string[]
  tellPlace(): string
  answer(type: string, ref: string | undefined, members: string): void
  refuse(error: FastifyError, ref: string | undefined): void
  subscribe(channel: string, start: Start, ref: string | undefined): Promise<void>
  unsubscribe(channel: string, ref: string | undefined): void
  close(code: number, reason: string): void
}

/** Maximum bytes of a close reason (RFC 6455 section 5.5). */
const MOST_REASON = 123

/** Handles the frames of a client in order, each after the previous one has settled. */
export class ClientFrames {
  readonly #context: Context
  readonly #may: Asker
  readonly #log: FastifyBaseLogger
  readonly #path: string | undefined
  readonly #ws: WebSocket
  readonly #stream: FrameTarget
  /** The channel of raw frames. */
  readonly #rawChannel: string | undefined
  /** Functions that release the permits of subscribe frames, which are valid until the channel is unsubscribed. */
  #permits: Map<string, () => void> | undefined
  readonly #waiting: FrameQueue
  #busy = false
  #ref: string | undefined
  /** Whether a frame has closed the socket. Later frames are ignored. */
  #refused = false

  /** @param path published with each frame; undefined without a subscriber */
  constructor(
    context: Context,
    may: Asker,
    log: FastifyBaseLogger,
    path: string | undefined,
    ws: WebSocket,
    stream: FrameTarget,
  ) {
    this.#context = context
    this.#may = may
    this.#log = log
    this.#path = path
    this.#ws = ws
    this.#stream = stream
    this.#rawChannel = stream.raw ? stream.channels[0] : undefined
    this.#waiting = new FrameQueue(context.settings.payloadLimit)
  }

  /** The `ref` of the subscribe frame whose replay is in progress. */
  get ref(): string | undefined {
    return this.#ref
  }

  /** Receives a frame. */
  take(data: Buffer, binary: boolean): void {
    // Frames received after a close are handled as long as the queue has room.
    if (this.#refused || (this.#waiting.full && !this.#stream.open)) return
    this.#waiting.push(data, binary)
    if (this.#waiting.full && this.#stream.open) this.#ws.pause()
    if (!this.#busy) void this.#work()
  }

  /** Continues after the socket has closed: received publish frames are not lost. */
  async #work(): Promise<void> {
    this.#busy = true
    while (this.#waiting.size > 0) await this.#next()
    this.#busy = false
  }

  /** Handles the next frame. While it is pending, only its parsed content stays in memory. */
  #next(): Promise<void> | undefined {
    const next = this.#waiting.shift()!
    if (this.#ws.isPaused && this.#waiting.roomy) this.#ws.resume()
    return this.#rawChannel === undefined ? this.#hear(next) : this.#hearRaw(next, this.#rawChannel)
  }

  #hear({ data, binary }: Incoming): Promise<void> | undefined {
    if (data.length > maxFrame(this.#context.settings.payloadLimit)) {
      this.#refuse(1009, 'the frame is too large')
      return
    }
    if (binary) {
      this.#refuse(1003, 'frames must be text')
      return
    }
    const text = data.toString()
    this.#note(text)
    let ref: string | undefined
    try {
      const parsed = parseMembers(text)
      // A slice would keep the whole frame in memory until the answer.
      ref = parsed.ref && detach(parsed.ref)
      return this.#settle(parseFrame(text, parsed.members), ref)
    } catch (error) {
      this.#fail(error, ref)
    }
  }

  async #settle(frame: ClientFrame, ref: string | undefined): Promise<void> {
    try {
      await this.#obey(frame, ref)
    } catch (error) {
      this.#fail(error, ref)
    }
  }

  #fail(error: unknown, ref: string | undefined): void {
    this.#stream.refuse(this.#known(error), ref)
  }

  async #obey(frame: ClientFrame, ref: string | undefined): Promise<void> {
    const stream = this.#stream
    switch (frame.type) {
      case 'publish': {
        const cursor = await this.#publish(frame.channel, frame.payload, frame.key)
        stream.answer('published', ref, `,"cursor":"${cursor}"`)
        return
      }
      case 'subscribe': {
        const { channel, start } = frame
        if (stream.channels.includes(channel)) throw new ERR_SUBSCRIBED(channel)
        if (stream.channels.length === MAX_CHANNELS)
          throw new ERR_CHANNEL(`is one too many: a socket can read at most ${MAX_CHANNELS} channels at once`)
        const { permit } = await this.#may({
          action: 'subscribe',
          channels: [channel],
        })
        if (permit !== undefined) {
          this.#permits ??= new Map()
          this.#permits.set(channel, this.#context.readers.permit(stream, permit))
        }
        await this.#context.bus.settle?.(start)
        this.#ref = ref
        await stream.subscribe(channel, start, ref)
        this.#ref = undefined
        return
      }
      case 'unsubscribe':
        if (!stream.channels.includes(frame.channel)) throw new ERR_NOT_SUBSCRIBED(frame.channel)
        this.#permits?.get(frame.channel)?.()
        this.#permits?.delete(frame.channel)
        stream.unsubscribe(frame.channel, ref)
        return
      case 'ping':
        stream.answer('pong', ref, `,"cursor":"${stream.tellPlace()}"`)
    }
  }

  /** The raw form has no error frames: an error closes the socket. */
  async #hearRaw({ data, binary }: Incoming, channel: string): Promise<void> {
    try {
      const payload = binary ? bytesPayload(data) : textPayload(data.toString())
      this.#note(binary ? data : data.toString())
      await this.#publish(channel, payload)
    } catch (error) {
      const known = this.#known(error)
      const status = statusOf(known)
      this.#refuse(status === 413 ? 1009 : isRefusal(known) ? 1008 : 1011, known.message)
    }
  }

  /** Closes the socket because of a frame. */
  #refuse(code: number, reason: string): void {
    this.#refused = true
    this.#waiting.clear()
    // The message of an app's error may be too long for a close reason.
    this.#stream.close(code, Buffer.byteLength(reason) > MOST_REASON ? '' : reason)
  }

  /**
   * The error to send: one of this package, or one with a 4xx status. Any other error, for example of a bus or of
   * `authorize`, is logged, and the client gets TIDINGS_ERR_INTERNAL.
   */
  #known(error: unknown): FastifyError {
    if (error instanceof Error && !(error instanceof ERR_INTERNAL)) {
      if (isRefusal(error) || String((error as FastifyError).code).startsWith('TIDINGS_'))
        return error as FastifyError
    }
    this.#log.error({ err: error }, 'a frame could not be handled')
    return new ERR_INTERNAL()
  }

  #note(frame: string | Buffer): void {
    if (this.#path !== undefined)
      frameChannel.publish({ log: this.#log, path: this.#path, frame } satisfies FrameMessage)
  }

  async #publish(channel: string, payload: Payload, key?: string): Promise<string> {
    const { bus, settings } = this.#context
    if (!settings.publish) throw new ERR_NO_PUBLISH()
    checkSize(payload, settings.payloadLimit)
    const { publisher } = await this.#may({ action: 'publish', channels: [channel] })
    const { epoch, seq } = await bus.publish(channel, payload, key, publisher)
    return `${epoch}.${seq}`
  }
}
