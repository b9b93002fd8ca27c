import { credentials, type Failure, faultOf, initOf, isDenied } from './answer.ts'
import { isCursor } from './cursor.ts'
import type { FrameSocket } from './frame-socket.ts'
import { FOREIGN_ANSWER } from './link.ts'
import { type PublishRequest, publishRequestOf } from './publish-request.ts'
import { routeOf, type Settings } from './settings.ts'
import { jitter, later, sleep } from './time.ts'
import type { PublishOptions } from './types.ts'

type Answer = { cursor: string }

function noAnswer(ms: number): Error {
  return new Error(`no response within ${ms} ms: the publish may have succeeded`)
}

/** Statuses of a proxy after which a retry cannot succeed. */
const FINAL_STATUSES = [411, 413, 414, 431]
/** Statuses of the server after which a retry may succeed. */
const RETRY_STATUSES = [408, 425, 429, 502, 503, 504]

/**
 * Publishes in the order of the calls. Frames without a key are pipelined on the socket. Any other publish is sent
 * alone, since it may have to be retried.
 */
export class Publisher {
  readonly #settings: Settings
  readonly #socket: () => FrameSocket | undefined
  readonly #ended: AbortSignal
  readonly #queue: { frame: string | undefined; go: () => Promise<unknown> }[] = []
  #inFlight = 0
  #exclusive = false

  /** @param socket returns the open socket, if any */
  constructor(settings: Settings, socket: () => FrameSocket | undefined, ended: AbortSignal) {
    this.#settings = settings
    this.#socket = socket
    this.#ended = ended
  }

  async publish(channel: string, data: unknown, options: PublishOptions): Promise<Answer> {
    const { signal, unordered } = options
    const request = publishRequestOf(channel, data, options)
    const throwIfDone = () => {
      signal?.throwIfAborted()
      if (this.#ended.aborted) throw new Error('The feed is closed')
    }
    throwIfDone()
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal!.reason)
      signal?.addEventListener('abort', abort)
      const go = async () => {
        try {
          throwIfDone()
          resolve(await this.#send(request, signal))
        } catch (error) {
          reject(error)
        }
        signal?.removeEventListener('abort', abort)
      }
      if (unordered) void go()
      else {
        this.#queue.push({ frame: request.key === undefined ? request.frame : undefined, go })
        this.#work()
      }
    })
  }

  #work(): void {
    for (;;) {
      const next = this.#queue[0]
      if (!next || this.#exclusive) return
      const exclusive = !next.frame || !this.#socket()
      if (exclusive && this.#inFlight) return
      this.#queue.shift()
      this.#exclusive = exclusive
      this.#inFlight++
      void next.go().then(() => {
        this.#inFlight--
        this.#exclusive = false
        this.#work()
      })
    }
  }

  /** @throws an Error that is also a Fault */
  async #send(request: PublishRequest, signal: AbortSignal | undefined): Promise<Answer> {
    const { silence, probe, keyAge } = this.#settings
    let since = 0
    let deniedBefore = !this.#settings.getToken
    for (let attempt = 0; ; attempt++) {
      try {
        const socket = request.frame ? this.#socket() : undefined
        // For a POST 10 seconds, or longer for a large body at 5 kB per second.
        const timeout = socket ? silence : 2 * probe + request.body.length / 5
        // The server may have accepted the first attempt. After it has forgotten the key, a retry would publish again.
        if (since && Date.now() + timeout > since + keyAge)
          throw Object.assign(noAnswer(keyAge), { code: 'ERR_KEY_AGE', final: true })
        since ||= Date.now()
        if (socket)
          return { cursor: (await this.#withTimeout(socket.request(request.frame!), timeout)).cursor }
        const abort = new AbortController()
        const gone = () => abort.abort(signal!.reason)
        signal?.addEventListener('abort', gone)
        try {
          return await this.#withTimeout(this.#post(request, abort.signal), timeout)
        } finally {
          abort.abort()
          signal?.removeEventListener('abort', gone)
        }
      } catch (error) {
        const failure = error as Failure
        if (!deniedBefore && isDenied(failure)) deniedBefore = true
        else {
          if (request.key === undefined || failure.final || signal?.aborted || this.#ended.aborted)
            throw error
          await sleep((failure.after ?? 0) + jitter(this.#settings, attempt), this.#ended, signal)
          if (this.#ended.aborted) throw error
        }
        signal?.throwIfAborted()
      }
    }
  }

  /** @throws if the work has not settled after `ms` milliseconds */
  #withTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = later(() => reject(noAnswer(ms)), ms)
      work.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }

  async #post({ query, key, type, body }: PublishRequest, signal: AbortSignal): Promise<Answer> {
    const settings = this.#settings
    const init = initOf(settings, await credentials(settings), signal)
    const headers = init.headers as Headers
    headers.set('content-type', type)
    if (key !== undefined) headers.set('idempotency-key', key)
    const url = routeOf(settings, 'publish', query)
    const response = await settings.fetch(url, { ...init, method: 'POST', body })
    const { ok, status } = response
    let failure: Failure = FOREIGN_ANSWER
    if (ok) {
      const answer = (await response.json().catch(() => {})) as Answer | undefined
      if (answer && isCursor(answer.cursor)) return answer
    } else {
      const fault = await faultOf(response)
      failure = {
        ...fault,
        final: fault.own ? !RETRY_STATUSES.includes(status) : FINAL_STATUSES.includes(status),
      }
    }
    throw Object.assign(new Error(failure.message), failure)
  }
}
