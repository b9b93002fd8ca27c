import type { FastifyError, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import { ERR_FORBIDDEN, ERR_INTERNAL, ERR_PUBLISHES } from '../../bus/errors.ts'
import { isPublisher } from '../../bus/idempotency-keys.ts'
import type { Authorize, Limits, Permission, Question } from './options.ts'
import { Pending } from './pending.ts'
import { wasRefused } from './reader-channels.ts'
import { retryAfter } from './retry.ts'
import type { Permit } from './revocation.ts'

/** A permission that a client has. */
export interface Grant {
  /** When it expires; undefined if it does not. */
  readonly permit?: Permit | undefined
  /** The owner of its idempotency keys. */
  readonly publisher?: string | undefined
}

const ALWAYS: Grant = {}
const allow = async () => ALWAYS

/** Authorizes one client. @throws TIDINGS_ERR_FORBIDDEN, TIDINGS_ERR_PUBLISHES, or an error of `authorize` */
export type Asker = (question: Question) => Promise<Grant>

function isPromise<T>(answer: T | PromiseLike<T>): answer is PromiseLike<T> {
  return typeof (answer as PromiseLike<T> | undefined)?.then === 'function'
}

/**
 * The error to send after the app's code has thrown. An error with a 4xx status is sent unchanged. Any other becomes
 * TIDINGS_ERR_INTERNAL, whose `cause` the app's error handler and log can read: its text must not reach clients.
 */
export function faultOf(thrown: unknown): Error {
  const own = thrown instanceof Error && String((thrown as FastifyError).code).startsWith('TIDINGS_')
  return own ? thrown : (refusalOf(thrown) ?? Object.assign(new ERR_INTERNAL(), { cause: thrown }))
}

/** Calls `authorize`, if there is one, and stores its verdict for the handler of the request. */
export class Guard {
  readonly #authorize: Authorize | undefined
  readonly #mayPublish: Limits['publish']
  readonly #grants = new WeakMap<FastifyRequest, Grant>()
  readonly #pending: Pending
  /** Whether an invalid verdict has been logged. It is logged once. */
  #hinted = false

  /**
   * @param most maximum number of pending calls
   * @param mayPublish the option `clients.publish`
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

  /** Waits for another condition of a request, within the same limit. @throws see `Pending`, or its rejection */
  wait<T>(answer: Promise<T>, request: FastifyRequest): Promise<T> {
    return this.#pending.wait(answer, request, 'subscribe')
  }

  /** Refuses all pending calls, because the server closes. */
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

  /** Authorizes later frames of a reader. Without `authorize`, the request is not kept alive. */
  asker(request: FastifyRequest): Asker {
    return this.#idle ? allow : (question) => this.#ask(request, question)
  }

  /**
   * The hook that calls `authorize`, after the user's own hooks. Without `authorize` there is none.
   * @param question returns the question of a request; may throw an error about the request
   */
  hook(question: (request: FastifyRequest) => Question): preHandlerAsyncHookHandler[] {
    if (this.#idle) return []
    const authorize: preHandlerAsyncHookHandler = async (request) => {
      const grant = await this.#ask(request, question(request))
      if (grant !== ALWAYS) this.#grants.set(request, grant)
    }
    return [authorize]
  }

  /** The verdict of a request's hook. */
  grantOf(request: FastifyRequest): Grant {
    return this.#grants.get(request) ?? ALWAYS
  }
}

/** @returns the permission of a verdict; false for a refusal; undefined for an invalid verdict */
function grantOf(verdict: unknown): Grant | false | undefined {
  if (verdict === true) return ALWAYS
  if (verdict === false) return false
  if (verdict instanceof AbortSignal) return !verdict.aborted && { permit: { signal: verdict } }
  if (typeof verdict !== 'object' || verdict === null) return undefined
  const members = Object.entries(verdict)
  // A member that is present and undefined is a mistake, such as a session without an expiry.
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

/** Describes a value by its type, without its content. */
function kindOf(verdict: unknown): string {
  if (typeof verdict !== 'object' || verdict === null) return verdict === null ? 'null' : typeof verdict
  return `an object of { ${Object.keys(verdict).join(', ').slice(0, 100)} }`
}

const VALID: Record<string, (value: unknown) => boolean> = {
  until: (value) => (value instanceof Date || typeof value === 'number') && !Number.isNaN(Number(value)),
  signal: (value) => value instanceof AbortSignal,
  publisher: isPublisher,
}

/** The status of an error. */
export function statusOf(error: Error): unknown {
  const { statusCode, status } = error as Error & { statusCode?: unknown; status?: unknown }
  return statusCode ?? status
}

/** Whether an error has a 4xx status. */
export function isRefusal(error: Error): boolean {
  const status = statusOf(error)
  return Number.isInteger(status) && Number(status) >= 400 && Number(status) < 500
}

/**
 * The thrown value, if it has a 4xx status. It may be no Error, or one of another realm. Fastify answers 200 if
 * `headers` is null.
 */
function refusalOf(thrown: unknown): Error | undefined {
  if (typeof thrown !== 'object' || thrown === null || !isRefusal(thrown as Error)) return undefined
  const { message = 'Not permitted', headers } = thrown as Partial<Error> & { headers?: unknown }
  if (thrown instanceof Error && headers !== null) return thrown
  return Object.assign(new Error(message), thrown, { headers: headers ?? undefined })
}
