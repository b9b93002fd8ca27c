import type { FastifyError, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { ERR_FRAMES } from '../../bus/errors.ts'
import { NOWHERE } from '../../bus/indexed-set.ts'
import { BackpressuredWriter } from '../http/backpressured-writer.ts'
import { Pace } from '../http/client-limits.ts'
import type { Context } from '../http/context.ts'
import type { HeartbeatMember } from '../http/heartbeat-timer.ts'
import { dropInflater, receivedBytes, streamOf } from '../http/node-internals.ts'
import type { OpenConnection } from '../http/open-connections.ts'
import { type CloseReason, readerClosed, readerOpened } from '../http/reader-channels.ts'

/** Milliseconds that a client has to answer a close before its socket is destroyed. */
const GRACE = { goingAway: 600, tooSlow: 1000 }

const REASONS: Readonly<Record<number, CloseReason>> = {
  1000: 'ended',
  1001: 'closing',
  4008: 'slow',
  4010: 'gap',
}

/** Whose a WebSocket is. */
const PEER = Symbol('peer')

type Owned = WebSocket & { [PEER]: SocketConnection }

/**
 * The life of one WebSocket: its signs of life, its way out, its end. It keeps nothing of the request that began it.
 */
export abstract class SocketConnection
  extends BackpressuredWriter
  implements OpenConnection, HeartbeatMember
{
  slot: HeartbeatMember['slot']
  indexInSlot = NOWHERE
  indexInReaders = NOWHERE
  /** As the diagnostics channels name it. */
  protected abstract transport(): string
  protected readonly context: Context
  protected readonly ws: WebSocket
  #open = true
  readonly #pace: Pace | undefined
  /** Bytes that had come in at the last ping, and the pings since then that nothing has followed. */
  #heard: number | undefined = 0
  #silent = 0

  constructor(context: Context, request: FastifyRequest, ws: WebSocket) {
    super(streamOf(request.raw, ws), context.unread)
    this.context = context
    const { framesPerSecond } = context.settings.limits
    if (framesPerSecond !== Infinity) this.#pace = new Pace(framesPerSecond)
    this.ws = ws
    const owned = ws as Owned
    owned[PEER] = this
    owned.emit = emit
    context.readers.hold(this, request, context.guard.grantOf(request).permit)
    readerOpened(this.transport(), request)
    context.heartbeat.ws.add(this)
  }

  /** A frame came in. */
  protected abstract message(data: Buffer, binary: boolean): void
  /** It sends too many frames, and is ended. */
  protected tooFast(_error: FastifyError): void {}
  /** Nothing more goes out. */
  protected abstract ended(): void

  /** What the socket tells, before those who listen to it. */
  hear(event: unknown, data: unknown, binary: unknown): void {
    if (event === 'message') {
      dropInflater(this.ws)
      // In the context of the request that opened the socket, which the socket's own events know nothing of.
      if (this.#paced()) this.runInAsyncScope(this.message, this, data as Buffer, binary as boolean)
    }
    // ws answers pings by itself: a client that sends them and reads nothing is no better than others.
    else if (event === 'ping') {
      if (this.#paced()) this.watch()
    } else if (event === 'close') {
      this.#end('client')
      this.context.readers.release(this)
    }
  }

  /** Whether a frame is not one too many. The one that is ends the socket; what follows it is not heard. */
  #paced(): boolean {
    if (this.#pace === undefined || this.#pace.take()) return true
    if (this.open) {
      this.tooFast(new ERR_FRAMES())
      this.close(1008, 'too many frames')
    }
    return false
  }

  /** Not any more where ws has sent a close: no frame may follow one (RFC 6455 section 5.5.1). */
  get open(): boolean {
    return this.#open && this.ws.readyState === this.ws.OPEN
  }

  /** Sends frames that are made already. */
  protected write(frames: Buffer): void {
    if (this.open) this.send(frames)
  }

  beat(): void {
    // A full socket gets no ping, and its client may be silent: it has not read the last one. One that is not read
    // for now is not heard.
    if (this.full || this.ws.isPaused) return
    const heard = receivedBytes(this.stream)
    this.#silent = heard !== undefined && heard === this.#heard ? this.#silent + 1 : 0
    this.#heard = heard
    if (this.#silent > 1) this.ws.terminate()
    else this.ws.ping()
  }

  protected override slow(): void {
    this.close(4008, 'slow consumer', GRACE.tooSlow)
  }

  goAway(): void {
    this.close(1001, 'going away', GRACE.goingAway)
  }

  revoke(): void {
    this.close(1008, 'permission ran out')
  }

  /** @param grace milliseconds until the socket is destroyed; without it ws has a limit of its own */
  close(code: number, reason: string, grace?: number): void {
    this.#end(REASONS[code] ?? 'revoked')
    this.ws.close(code, reason)
    // Its answer would not be read.
    if (this.ws.isPaused) this.ws.resume()
    if (grace === undefined) return
    const timer = setTimeout(() => this.ws.terminate(), grace)
    this.ws.once('close', () => clearTimeout(timer))
  }

  #end(reason: CloseReason): void {
    if (!this.#open) return
    this.#open = false
    readerClosed(this.transport(), reason)
    this.shut()
    this.context.heartbeat.ws.delete(this)
    this.ended()
  }
}

/**
 * In the place of three listeners: their closures, and a table for them, would take more than all else that is kept
 * for an idle socket.
 */
function emit(this: Owned, event: string | symbol, ...args: unknown[]): boolean {
  this[PEER].hear(event, args[0], args[1])
  return (Object.getPrototypeOf(this) as WebSocket).emit.call(this, event, ...args)
}
