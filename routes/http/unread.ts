import { AsyncResource } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import type { onSendHookHandler, preHandlerHookHandler } from 'fastify'
import type { Bus } from '../../bus/bus.ts'
import { FAST, type FastPath } from './fast-path.ts'
import { plainStream, reserve } from './node-internals.ts'
import { type Sent, type Slow, Stalls } from './stalls.ts'

/** Maximum bytes of all unread answers together, in multiples of `slowConsumer.bytes`. */
const BODIES = 64

/** An answer that its client has not read yet. */
class Answer implements Sent {
  readonly #response: ServerResponse
  /** The stream of the connection; over HTTP/2 that of the request. */
  readonly stream: Writable
  /** The body. Several answers may share it. */
  readonly body: Buffer | string | undefined
  put = 0

  constructor(response: ServerResponse, body: Buffer | string | undefined) {
    this.#response = response
    this.body = body
    if ('stream' in response) {
      // Fastify writes a stream chunk by chunk, each after the previous one is sent.
      this.stream = plainStream(response)
      this.stream.on('drain', () => this.put++)
    } else this.stream = response.req.socket
  }

  get over(): boolean {
    return this.#response.writableFinished || this.#response.destroyed
  }

  tooSlow(): void {
    plainStream(this.#response).destroy()
    this.#response.destroy()
  }
}

/**
 * The unread bytes of answers, streams and sockets. A client without progress is ended. If all unread answers together
 * take too much memory, the oldest ones are ended first. No message is lost: the client repeats the request with its
 * cursor.
 */
export class Unread {
  readonly slow: Slow
  readonly path: FastPath
  /** Streams and sockets. */
  readonly stalls: Stalls
  /** Responses and bodies of this turn, alternating. */
  #sent: unknown[] = []
  #look: NodeJS.Immediate | undefined
  readonly #answers: Stalls

  constructor(slow: Slow, path = FAST) {
    this.slow = slow
    this.path = path
    this.stalls = new Stalls(slow.timeout, path)
    this.#answers = new Stalls(slow.timeout, path)
  }

  /** The hook of every route. Most answers are sent at once, so all are checked together at the end of the turn. */
  readonly watchAnswer: onSendHookHandler = (_request, reply, payload, done) => {
    this.#sent.push(reply.raw, payload)
    this.#look ??= setImmediate(() => this.#lookAtSent())
    done()
  }

  #lookAtSent(): void {
    this.#look = undefined
    const sent = this.#sent
    this.#sent = []
    for (let i = 0; i < sent.length; i += 2) {
      const response = sent[i] as ServerResponse
      if (response.writableFinished || response.destroyed) continue
      const body = Buffer.isBuffer(sent[i + 1]) || typeof sent[i + 1] === 'string' ? sent[i + 1] : undefined
      this.#answers.add(new Answer(response, body as Answer['body']))
    }
    if (this.#answers.size > 0) this.#bound()
  }

  #bound(): void {
    const most = BODIES * this.slow.bytes
    let bytes = 0
    const counted = new Set<unknown>()
    // The newest first, so that the oldest are over the limit.
    for (const answer of (this.#answers.all() as Answer[]).reverse()) {
      if (answer.over || answer.body === undefined || counted.has(answer.body)) continue
      counted.add(answer.body)
      bytes += answer.body.length
      if (bytes > most) {
        this.#answers.delete(answer)
        answer.tooSlow()
      }
    }
  }

  close(): void {
    this.stalls.close()
    this.#answers.close()
    clearImmediate(this.#look)
  }
}

/**
 * Whether an answer with messages must wait: see `waitTurn`. Over HTTP/2 each request has its own stream.
 */
export function mustWait(bus: Bus, response: ServerResponse): boolean {
  return response.socket === null || bus.log.turns.spent
}

/**
 * Waits for the earlier answers of the same connection, and for a turn of the event loop with budget left. So a
 * pipeline of polls holds only one body, and Node reads no more requests meanwhile.
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

/** The hook of a route that answers at once. */
export function inTurn(bus: Bus): preHandlerHookHandler {
  return function waitForTurn(_request, reply, done) {
    if (mustWait(bus, reply.raw)) waitTurn(bus, reply.raw, done)
    else done()
  }
}
