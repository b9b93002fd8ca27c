import { AsyncResource } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import type { onSendHookHandler, preHandlerHookHandler } from 'fastify'
import type { Bus } from '../../bus/bus.ts'
import { FAST, type FastPath } from './fast-path.ts'
import { plainStream, reserve } from './node-internals.ts'
import { type Sent, type Slow, Stalls } from './stalls.ts'

/** Bodies of answers that may wait for their clients, all together, in multiples of `slowConsumer.bytes`. */
const BODIES = 64

/** An answer that its client has not taken yet. */
class Answer implements Sent {
  readonly #response: ServerResponse
  /** That of the connection; over HTTP/2 its own. */
  readonly stream: Writable
  /** Many may share one. */
  readonly body: Buffer | string | undefined
  put = 0

  constructor(response: ServerResponse, body: Buffer | string | undefined) {
    this.#response = response
    this.body = body
    if ('stream' in response) {
      // Fastify writes it in pieces, each when the one before has gone: as much waits all the time.
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
 * What clients have not taken yet: of an answer, a stream, or a socket. One whose client takes no byte for as long as
 * it may is ended; and where the bodies of all answers together take too much memory, those that have waited longest
 * go. What was cut off is lost to nobody: the client asks again with its cursor.
 */
export class Unread {
  readonly slow: Slow
  readonly path: FastPath
  /** The streams and sockets. */
  readonly stalls: Stalls
  /** Response and body of what was sent in this turn, two places each. */
  #sent: unknown[] = []
  #look: NodeJS.Immediate | undefined
  readonly #answers: Stalls

  constructor(slow: Slow, path = FAST) {
    this.slow = slow
    this.path = path
    this.stalls = new Stalls(slow.timeout, path)
    this.#answers = new Stalls(slow.timeout, path)
  }

  /** The hook of every route. Most answers are taken at once: they are looked at together, at the end of the turn. */
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
    // The last first: what is left when the bound is reached has waited longer.
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
 * Whether an answer with messages must wait for its turn: see `waitTurn`. Over HTTP/2 it has a stream from the start.
 */
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
  return function waitForTurn(_request, reply, done) {
    if (mustWait(bus, reply.raw)) waitTurn(bus, reply.raw, done)
    else done()
  }
}
