import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { logFrame } from './log-frame.ts'
import { Peer, type User } from './peer.ts'
import type { Service } from './service.ts'

/** Sends each frame back as it came: text as text, binary as binary. A full socket is not read. */
export class EchoSocket implements User {
  readonly #ws: WebSocket
  readonly #peer: Peer

  constructor(service: Service, request: FastifyRequest, ws: WebSocket) {
    this.#ws = ws
    this.#peer = new Peer(service, request, ws, this)
    const { log, url } = request
    ws.on('message', (data: Buffer, binary: boolean) => {
      if (!this.#peer.open) return
      if (service.settings.logFrames) logFrame(log, url, binary ? data : data.toString())
      this.#peer.send(data, binary)
      if (this.#peer.full) ws.pause()
    })
  }

  drained(): void {
    this.#ws.resume()
  }

  ended(): void {}
}
