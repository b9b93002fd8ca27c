import type { FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import { ERR_FORBIDDEN } from '../bus/errors.ts'
import type { Authorize, Question } from './options.ts'

const allow = async () => undefined

/** Asks for one client. @returns a signal that aborts when the permission runs out, or undefined where it does not */
export type Asker = (question: Question) => Promise<AbortSignal | undefined>

/** Asks `authorize`, where there is one, and keeps what it said of a request for the handler behind. */
export class Guard {
  readonly #authorize: Authorize | undefined
  readonly #permits = new WeakMap<FastifyRequest, AbortSignal>()

  constructor(authorize: Authorize | undefined) {
    this.#authorize = authorize
  }

  /**
   * @returns a signal that aborts when the permission runs out, or undefined where it does not
   * @throws TIDINGS_ERR_FORBIDDEN
   */
  async #ask(
    authorize: Authorize,
    request: FastifyRequest,
    question: Question,
  ): Promise<AbortSignal | undefined> {
    let verdict: unknown
    try {
      verdict = await authorize(request, question)
    } catch (error) {
      request.log.info({ err: error }, 'authorize threw: not permitted')
    }
    if (verdict instanceof AbortSignal && !verdict.aborted) return verdict
    if (verdict === true) return undefined
    throw new ERR_FORBIDDEN()
  }

  /** Asks for a reader that stays. Where there is nobody to ask, its request is not kept for it. */
  asker(request: FastifyRequest): Asker {
    const authorize = this.#authorize
    return authorize === undefined ? allow : (question) => this.#ask(authorize, request, question)
  }

  /**
   * The hook that asks, to stand behind the user's own; none where there is nobody to ask, so that it costs nothing.
   * @param question what this request is about; may throw what is wrong with it
   */
  hook(question: (request: FastifyRequest) => Question): preHandlerAsyncHookHandler[] {
    const authorize = this.#authorize
    if (authorize === undefined) return []
    return [
      async (request) => {
        const permit = await this.#ask(authorize, request, question(request))
        if (permit !== undefined) this.#permits.set(request, permit)
      },
    ]
  }

  /** What the hook was told of this request. */
  permitOf(request: FastifyRequest): AbortSignal | undefined {
    return this.#permits.get(request)
  }
}
