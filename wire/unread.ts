import { AsyncResource } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import type { onSendHookHandler, preHandlerHookHandler } from 'fastify'
import type { Bus } from '../bus/bus.ts'
import { plainStream, reserve, takenBytes, waitingBytes } from './internals.ts'
import { socketOf } from './meter.ts'
import type { Slow } from './outlet.ts'

/** Bodies of answers that may wait for their clients, all together, in multiples of `slowConsumer.bytes`. */
const BODIES = 64

interface Answer {
  readonly response: ServerResponse
  readonly socket: Writable
  /** Many may share one. */
  readonly body: Buffer | string | undefined
  taken: number
  /** When the socket was last seen to take something. */
  since: number
}

/**
 * The answers that their clients have not taken yet. One whose socket takes no byte for as long as a reader may is
 * destroyed, as a stream is; and where all bodies together take too much memory, those that have waited longest go.
 * What was cut off is lost to nobody: the client asks again with its cursor. Over HTTP/2 the socket is the session's.
 */
export class Unread {
  readonly #slow: Slow
  /** Request, response and body of what was sent in this turn, three places each. */
  #sent: unknown[] = []
  #look: NodeJS.Immediate | undefined
  readonly #waiting = new Set<Answer>()
  #timer: NodeJS.Timeout | undefined

  constructor(slow: Slow) {
    this.#slow = slow
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** The hook of every route. Most answers are taken at once: they are looked at together, at the end of the turn. */
  readonly hook: onSendHookHandler = (request, reply, payload, done) => {
    this.#sent.push(request.raw, reply.raw, payload)
    this.#look ??= setImmediate(() => this.#lookAtSent())
    done()
  }

  #lookAtSent(): void {
    this.#look = undefined
    const sent = this.#sent
    this.#sent = []
    const since = performance.now()
    for (let i = 0; i < sent.length; i += 3) {
      const response = sent[i + 1] as ServerResponse
      if (response.writableFinished || response.destroyed) continue
      const socket = socketOf(sent[i] as Parameters<typeof socketOf>[0])
      const body = Buffer.isBuffer(sent[i + 2]) || typeof sent[i + 2] === 'string' ? sent[i + 2] : undefined
      this.#waiting.add({ response, socket, body: body as Answer['body'], taken: takenBytes(socket), since })
    }
    if (this.#waiting.size === 0) return
    this.#bound()
    this.#timer ??= setInterval(() => this.#sweep(), Math.max(this.#slow.timeout / 4, 1)).unref()
  }

  #sweep(): void {
    const now = performance.now()
    for (const answer of this.#waiting) {
      const { response, socket } = answer
      const taken = takenBytes(socket)
      if (response.writableFinished || response.destroyed || socket.destroyed) this.#waiting.delete(answer)
      // One that waits for an earlier answer, or for a hook of the user's, is not its client's fault.
      else if (taken !== answer.taken || waitingBytes(socket) === 0) {
        answer.taken = taken
        answer.since = now
      } else if (now - answer.since >= this.#slow.timeout) this.#destroy(answer)
    }
    if (this.#waiting.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #bound(): void {
    const most = BODIES * this.#slow.bytes
    let bytes = 0
    const counted = new Set<unknown>()
    // The last first: what is left when the bound is reached has waited longer.
    for (const answer of [...this.#waiting].reverse()) {
      if (answer.response.writableFinished || answer.body === undefined || counted.has(answer.body)) continue
      counted.add(answer.body)
      bytes += answer.body.length
      if (bytes > most) this.#destroy(answer)
    }
  }

  #destroy(answer: Answer): void {
    this.#waiting.delete(answer)
    plainStream(answer.response).destroy()
    answer.response.destroy()
  }

  close(): void {
    clearInterval(this.#timer)
    clearImmediate(this.#look)
  }
}

/** Whether an answer with messages must wait for its turn: see `waitTurn`. Over HTTP/2 it has a stream from the start. */
export function mustWait(bus: Bus, response: ServerResponse): boolean {
  return response.socket === null || bus.log.turns.spent
}

/**
 * Waits until the earlier answers of the same connection are through, and for a turn of the event loop that has not
 * read enough yet. So a pipeline of polls holds one body, and Node reads no more of it meanwhile.
 */
export function waitTurn(bus: Bus, response: ServerResponse, go: () => void): void {
  const bound = AsyncResource.bind(go)
  if (response.socket !== null) {
    bus.log.turns.wait(bound)
    return
  }
  const release = reserve(response)
  response.once('socket', () => {
    release()
    bus.log.turns.wait(bound)
  })
}

/** The hook of a route that answers at once, whatever there is. */
export function inTurn(bus: Bus): preHandlerHookHandler {
  return (_request, reply, done) => {
    if (mustWait(bus, reply.raw)) waitTurn(bus, reply.raw, done)
    else done()
  }
}
