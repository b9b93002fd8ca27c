import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { logFrame } from './log-frame.ts'
import { Peer } from './peer.ts'
import type { Service } from './service.ts'

/** Sends each frame back as it came: text as text, binary as binary. A full socket is not read. */
export class EchoSocket extends Peer {
  readonly #log: FastifyBaseLogger
  readonly #path: string

  constructor(service: Service, request: FastifyRequest, ws: WebSocket) {
    super(service, request, ws)
    this.#log = request.log
    this.#path = request.url
  }

  protected override message(data: Buffer, binary: boolean): void {
    if (!this.open) return
    if (this.service.settings.logFrames) logFrame(this.#log, this.#path, binary ? data : data.toString())
    this.ws.send(data, { binary })
    this.watch()
    if (this.full) this.ws.pause()
  }

  protected override drained(): void {
    this.ws.resume()
  }

  protected override ended(): void {}
}
