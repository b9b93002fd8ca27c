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

/** Milliseconds that a client has to answer a close frame. Then its socket is destroyed. */
const GRACE = { goingAway: 600, tooSlow: 1000 }

const REASONS: Readonly<Record<number, CloseReason>> = {
  1000: 'ended',
  1001: 'closing',
  4008: 'slow',
  4010: 'gap',
}

/** The connection that owns a WebSocket. */
const PEER = Symbol('peer')

type Owned = WebSocket & { [PEER]: SocketConnection }

/**
 * The connection of a WebSocket: heartbeat, writes and close. It keeps no reference to the request that opened it.
 */
export abstract class SocketConnection
  extends BackpressuredWriter
  implements OpenConnection, HeartbeatMember
{
  slot: HeartbeatMember['slot']
  indexInSlot = NOWHERE
  indexInReaders = NOWHERE
  /** The reason for the diagnostics channels. */
  protected abstract transport(): string
  protected readonly context: Context
  protected readonly ws: WebSocket
  #open = true
  readonly #pace: Pace | undefined
  /** Bytes received at the last ping, and the number of pings since the last received byte. */
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
    readerOpened(this.transport(), this, request)
    context.heartbeat.ws.add(this)
  }

  /** Receives a frame. */
  protected abstract message(data: Buffer, binary: boolean): void
  /** The client exceeded its frame limit, and the socket closes. */
  protected tooFast(_error: FastifyError): void {}
  /** The socket has closed. */
  protected abstract ended(): void

  /** Handles the events of the socket before its listeners. */
  hear(event: unknown, data: unknown, binary: unknown): void {
    if (event === 'message') {
      dropInflater(this.ws)
      // In the async context of the request that opened the socket, which the socket's events do not have.
      if (this.#paced()) this.runInAsyncScope(this.message, this, data as Buffer, binary as boolean)
    }
    // ws answers pings by itself. A client that sends pings and reads nothing is slow like any other.
    else if (event === 'ping') {
      if (this.#paced()) this.watch()
    } else if (event === 'close') {
      this.#end('client')
      this.context.readers.release(this)
    }
  }

  /** Whether a frame is within the limit. The first excess frame closes the socket, and later frames are ignored. */
  #paced(): boolean {
    if (this.#pace === undefined || this.#pace.take()) return true
    if (this.open) {
      this.tooFast(new ERR_FRAMES())
      this.close(1008, 'too many frames')
    }
    return false
  }

  /** False once ws has sent a close frame: no frame may follow it (RFC 6455 section 5.5.1). */
  get open(): boolean {
    return this.#open && this.ws.readyState === this.ws.OPEN
  }

  /** Writes encoded frames. */
  protected write(frames: Buffer): void {
    if (this.open) this.send(frames)
  }

  beat(): void {
    // A full socket gets no ping, since its client has not read the last one. A paused socket receives no bytes. Neither
    // counts as silent.
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

  /** @param grace milliseconds until the socket is destroyed; without it ws applies its own timeout */
  close(code: number, reason: string, grace?: number): void {
    this.#end(REASONS[code] ?? 'revoked')
    this.ws.close(code, reason)
    // A paused socket would not read the answer.
    if (this.ws.isPaused) this.ws.resume()
    if (grace === undefined) return
    const timer = setTimeout(() => this.ws.terminate(), grace)
    this.ws.once('close', () => clearTimeout(timer))
  }

  #end(reason: CloseReason): void {
    if (!this.#open) return
    this.#open = false
    readerClosed(this.transport(), this, reason)
    this.shut()
    this.context.heartbeat.ws.delete(this)
    this.ended()
  }
}

/**
 * Replaces three listeners: their closures and the listener table would take more memory than everything else of an
 * idle socket.
 */
function emit(this: Owned, event: string | symbol, ...args: unknown[]): boolean {
  this[PEER].hear(event, args[0], args[1])
  return (Object.getPrototypeOf(this) as WebSocket).emit.call(this, event, ...args)
}
