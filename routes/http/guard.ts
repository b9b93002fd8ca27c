import type { FastifyError, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import { ERR_FORBIDDEN, ERR_INTERNAL, ERR_PUBLISHES } from '../../bus/errors.ts'
import { isPublisher } from '../../bus/idempotency-keys.ts'
import type { Authorize, Limits, Permission, Question } from './options.ts'
import { Pending } from './pending.ts'
import { wasRefused } from './reader-channels.ts'
import { retryAfter } from './retry.ts'
import type { Permit } from './revocation.ts'

/** What a client was permitted. */
export interface Grant {
  /** How long it lasts; undefined where it does not run out. */
  readonly permit?: Permit | undefined
  /** Whose idempotency keys it uses. */
  readonly publisher?: string | undefined
}

const ALWAYS: Grant = {}
const allow = async () => ALWAYS

/** Asks for one client. @throws TIDINGS_ERR_FORBIDDEN, TIDINGS_ERR_PUBLISHES, and what `authorize` throws */
export type Asker = (question: Question) => Promise<Grant>

function isPromise<T>(answer: T | PromiseLike<T>): answer is PromiseLike<T> {
  return typeof (answer as PromiseLike<T> | undefined)?.then === 'function'
}

/**
 * What to answer where code of the app's has thrown: what says that the client is at fault, as it stands; for anything
 * else an error of ours, behind which the app's error handler and the log see the cause. The text of a fault of the
 * program is no client's business.
 */
export function faultOf(thrown: unknown): Error {
  const own = thrown instanceof Error && String((thrown as FastifyError).code).startsWith('TIDINGS_')
  return own ? thrown : (refusalOf(thrown) ?? Object.assign(new ERR_INTERNAL(), { cause: thrown }))
}

/** Asks `authorize`, where there is one, and keeps what it said of a request for the handler behind. */
export class Guard {
  readonly #authorize: Authorize | undefined
  readonly #mayPublish: Limits['publish']
  readonly #grants = new WeakMap<FastifyRequest, Grant>()
  readonly #pending: Pending
  /** Whether it was said that `authorize` returned what means nothing: once is enough. */
  #hinted = false

  /**
   * @param most questions that may wait for their answers
   * @param mayPublish counts publishes, over HTTP and in frames
   */
  constructor(authorize: Authorize | undefined, most: number, mayPublish?: Limits['publish']) {
    this.#pending = new Pending(most)
    this.#authorize = authorize
    this.#mayPublish = mayPublish
  }

  get #idle(): boolean {
    return this.#authorize === undefined && this.#mayPublish === undefined
  }

  async #ask(request: FastifyRequest, question: Question): Promise<Grant> {
    if (question.action === 'publish' && (await this.#call(this.#mayPublish, request, question)) === false) {
      wasRefused('TIDINGS_ERR_PUBLISHES', request)
      throw Object.assign(new ERR_PUBLISHES(), { headers: { 'retry-after': `${retryAfter()}` } })
    }
    if (this.#authorize === undefined) return ALWAYS
    const verdict = await this.#call(this.#authorize, request, question)
    const grant = grantOf(verdict)
    if (grant === undefined) this.#hint(request, verdict, question)
    else if (grant !== false) return grant
    const refusal = new ERR_FORBIDDEN()
    wasRefused(refusal.code, request)
    throw refusal
  }

  /** @throws see `faultOf` */
  async #call<T>(
    ask: ((request: FastifyRequest, question: Question) => T | Promise<T>) | undefined,
    request: FastifyRequest,
    question: Question,
  ): Promise<T | undefined> {
    try {
      const answer = ask?.(request, question)
      return await (isPromise(answer) ? this.#pending.wait(answer, request, question.action) : answer)
    } catch (thrown) {
      throw faultOf(thrown)
    }
  }

  /** Waits for what else a request needs, as for the app's answers. @throws see `Pending`, and what it rejects with */
  wait<T>(answer: Promise<T>, request: FastifyRequest): Promise<T> {
    return this.#pending.wait(answer, request, 'subscribe')
  }

  /** Answers all that is still asked: the server is going away. */
  close(): void {
    this.#pending.close()
  }

  #hint({ log }: FastifyRequest, verdict: unknown, { action }: Question): void {
    if (this.#hinted) return
    this.#hinted = true
    log.warn(
      { verdict: kindOf(verdict), action },
      'authorize returned an invalid value, so the request was refused. It must return true, false, an AbortSignal, or ' +
        'an object of { until, signal, publisher }: until a Date or milliseconds since 1970, publisher a string of ' +
        '1 to 256 characters. Further invalid values are not logged',
    )
  }

  /** Asks for a reader that stays. Where there is nobody to ask, its request is not kept for it. */
  asker(request: FastifyRequest): Asker {
    return this.#idle ? allow : (question) => this.#ask(request, question)
  }

  /**
   * The hook that asks, to stand behind the user's own; none where there is nobody to ask, so that it costs nothing.
   * @param question what this request is about; may throw what is wrong with it
   */
  hook(question: (request: FastifyRequest) => Question): preHandlerAsyncHookHandler[] {
    if (this.#idle) return []
    const authorize: preHandlerAsyncHookHandler = async (request) => {
      const grant = await this.#ask(request, question(request))
      if (grant !== ALWAYS) this.#grants.set(request, grant)
    }
    return [authorize]
  }

  /** What the hook was told of this request. */
  grantOf(request: FastifyRequest): Grant {
    return this.#grants.get(request) ?? ALWAYS
  }
}

/** @returns what a verdict permits; false where it refuses; undefined where it says nothing */
function grantOf(verdict: unknown): Grant | false | undefined {
  if (verdict === true) return ALWAYS
  if (verdict === false) return false
  if (verdict instanceof AbortSignal) return !verdict.aborted && { permit: { signal: verdict } }
  if (typeof verdict !== 'object' || verdict === null) return undefined
  const members = Object.entries(verdict)
  // One that is there and undefined is a mistake: a session without an end, or nobody's.
  if (
    members.length === 0 ||
    !members.every(([name, value]) => Object.hasOwn(VALID, name) && VALID[name]!(value))
  ) {
    return undefined
  }
  const { until: end, signal, publisher } = verdict as Permission
  const until = end === undefined || end === Infinity ? undefined : Number(end)
  if (signal?.aborted || (until !== undefined && until <= Date.now())) return false
  return { permit: until === undefined && signal === undefined ? undefined : { until, signal }, publisher }
}

/** What it is, and nothing of what is in it. */
function kindOf(verdict: unknown): string {
  if (typeof verdict !== 'object' || verdict === null) return verdict === null ? 'null' : typeof verdict
  return `an object of { ${Object.keys(verdict).join(', ').slice(0, 100)} }`
}

const VALID: Record<string, (value: unknown) => boolean> = {
  until: (value) => (value instanceof Date || typeof value === 'number') && !Number.isNaN(Number(value)),
  signal: (value) => value instanceof AbortSignal,
  publisher: isPublisher,
}

/** The status that an error asks for. */
export function statusOf(error: Error): unknown {
  const { statusCode, status } = error as Error & { statusCode?: unknown; status?: unknown }
  return statusCode ?? status
}

/** Whether an error says that the client is at fault. */
export function isRefusal(error: Error): boolean {
  const status = statusOf(error)
  return Number.isInteger(status) && Number(status) >= 400 && Number(status) < 500
}

/**
 * What was thrown, where it says that the client is at fault. It may be no Error, or one of another realm. Fastify
 * answers 200 where `headers` is there and null.
 */
function refusalOf(thrown: unknown): Error | undefined {
  if (typeof thrown !== 'object' || thrown === null || !isRefusal(thrown as Error)) return undefined
  const { message = 'Not permitted', headers } = thrown as Partial<Error> & { headers?: unknown }
  if (thrown instanceof Error && headers !== null) return thrown
  return Object.assign(new Error(message), thrown, { headers: headers ?? undefined })
}
