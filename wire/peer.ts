import type { Writable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { NOWHERE } from '../bus/roster.ts'
import { receivedBytes, streamOf } from './internals.ts'
import { Outlet, type Sender } from './outlet.ts'
import type { Held } from './readers.ts'
import type { Service } from './service.ts'
import type { Spoke } from './wheel.ts'

/** Milliseconds that a client has to answer a close before its socket is destroyed. */
const GRACE = { goingAway: 600, tooSlow: 1000 }

/** What a socket is used for. */
export interface User {
  /** There is room again. */
  drained(): void
  /** Nothing more goes out. */
  ended(): void
}

/** The life of one WebSocket: its signs of life, its way out, its end. It keeps nothing of the request that began it. */
export class Peer implements Sender, Held, Spoke {
  slot: Spoke['slot']
  indexInSlot = NOWHERE
  indexInReaders = NOWHERE
  readonly #service: Service
  readonly #stream: Writable
  readonly #ws: WebSocket
  readonly #user: User
  readonly #outlet: Outlet
  #open = true
  /** Bytes that had come in at the last ping, and the pings since then that nothing has followed. */
  #heard: number | undefined = 0
  #silent = 0

  constructor(service: Service, request: FastifyRequest, ws: WebSocket, user: User) {
    this.#service = service
    this.#stream = streamOf(request.raw, ws)
    this.#ws = ws
    this.#user = user
    this.#outlet = new Outlet(this.#stream, service.settings.slowConsumer, this)
    ws.on('close', () => {
      this.#end()
      service.readers.release(this)
    })
    // ws answers pings by itself: a client that sends them and reads nothing is no better than others.
    ws.on('ping', () => this.#outlet.watch())
    service.readers.hold(this, service.guard.permitOf(request))
    service.heartbeat.ws.add(this)
  }

  /** Not any more where ws has sent a close: no frame may follow one (RFC 6455 section 5.5.1). */
  get open(): boolean {
    return this.#open && this.#ws.readyState === this.#ws.OPEN
  }

  get full(): boolean {
    return this.#outlet.full
  }

  /** Sends frames that are made already. */
  write(frames: Buffer): void {
    if (this.open) this.#outlet.write(frames)
  }

  /** Sends a frame through ws. */
  send(data: Buffer, binary: boolean): void {
    this.#ws.send(data, { binary })
    this.#outlet.watch()
  }

  /** The socket is ended when this permit aborts, too. @returns what takes the permit back */
  permit(permit: AbortSignal): () => void {
    return this.#service.readers.permit(this, permit)
  }

  drained(): void {
    this.#user.drained()
  }

  beat(): void {
    // A full socket gets no ping, and its client may be silent: it has not read the last one. One that is not read
    // for now is not heard.
    if (this.full || this.#ws.isPaused) return
    const heard = receivedBytes(this.#stream)
    this.#silent = heard !== undefined && heard === this.#heard ? this.#silent + 1 : 0
    this.#heard = heard
    if (this.#silent > 1) this.#ws.terminate()
    else this.#ws.ping()
  }

  tooSlow(): void {
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
    this.#end()
    this.#ws.close(code, reason)
    if (grace === undefined) return
    const timer = setTimeout(() => this.#ws.terminate(), grace)
    this.#ws.once('close', () => clearTimeout(timer))
  }

  #end(): void {
    if (!this.#open) return
    this.#open = false
    this.#outlet.close()
    this.#service.heartbeat.ws.delete(this)
    this.#user.ended()
  }
}
