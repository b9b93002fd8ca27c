import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { Context } from '../http/context.ts'
import { type FrameMessage, frameChannel } from '../ws/frame-channel.ts'
import { SocketConnection } from '../ws/socket-connection.ts'

/** Sends each frame back: text as text, binary as binary. It does not read while the socket is full. */
export class EchoSocket extends SocketConnection {
  readonly #log: FastifyBaseLogger
  readonly #path: string

  constructor(context: Context, request: FastifyRequest, ws: WebSocket) {
    super(context, request, ws)
    this.#log = request.log
    this.#path = request.url
  }

  protected override transport(): string {
    return 'echo'
  }

  protected override message(data: Buffer, binary: boolean): void {
    if (!this.open) return
    if (frameChannel.hasSubscribers) {
      const frame = binary ? data : data.toString()
      frameChannel.publish({ log: this.#log, path: this.#path, frame } satisfies FrameMessage)
    }
    this.ws.send(data, { binary })
    this.watch()
    if (this.full) this.ws.pause()
  }

  protected override drained(): void {
    this.ws.resume()
  }

  protected override ended(): void {}
}
