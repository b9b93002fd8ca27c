import { AsyncResource } from 'node:async_hooks'
import type { Gap } from '../../bus/bound.ts'
import { ERR_FORBIDDEN } from '../../bus/errors.ts'
import { NOWHERE } from '../../bus/indexed-set.ts'
import type { Member, ReaderGroup } from '../../bus/reader-group.ts'
import { refuseGap } from '../http/answer.ts'
import { Connection, type Guest } from '../http/connection.ts'
import type { Context } from '../http/context.ts'
import { forgetLong } from '../http/forget.ts'
import type { OpenConnection } from '../http/open-connections.ts'
import { type CloseReason, readerClosed, readerOpened } from '../http/reader-channels.ts'
import { retryAfter } from '../http/retry.ts'
import type { Poll } from '../poll/poll-request.ts'

/**
 * Holds a poll until a message comes or the wait ends. Call it in the same turn of the event loop as the read that
 * found nothing.
 * @param asked the place of the request's cursor
 * @param wait milliseconds
 * @throws TIDINGS_ERR_READERS, TIDINGS_ERR_CLIENT_READERS if a limit of held readers is reached
 */
export function holdPoll(context: Context, poll: Poll, asked: number, wait: number): void {
  if (wait === 0) {
    poll.nothing(asked)
    return
  }
  const connection = Connection.of(poll.request.raw)
  // The client may have left while earlier hooks ran.
  if (connection.gone) return
  const refusal = context.readers.refusal(poll.request)
  if (refusal !== undefined) {
    poll.reply.header('retry-after', retryAfter())
    throw refusal
  }
  new HeldPoll(context, connection, poll, asked, wait)
}

/** Cost of a reply by Fastify, in writes to a stream. */
const EFFORT = 8

/** A poll that is answered later, by a publish or a timer, in the async context of its own request. */
class HeldPoll extends AsyncResource implements Member, OpenConnection, Guest {
  group: ReaderGroup | undefined
  indexInGroup = NOWHERE
  indexInReaders = NOWHERE
  indexAtConnection = NOWHERE
  seen = 0
  readonly #context: Context
  readonly #connection: Connection
  readonly #poll: Poll
  readonly #asked: number
  #epoch: string
  readonly #timer: NodeJS.Timeout
  readonly #closed = () => this.#release('client')

  constructor(context: Context, connection: Connection, poll: Poll, asked: number, wait: number) {
    super('TIDINGS_POLL')
    this.#context = context
    this.#connection = connection
    this.#poll = poll
    this.#asked = asked
    this.#epoch = context.bus.log.epoch
    this.#timer = setTimeout(() => this.#answer(), wait)
    connection.hold(this)
    // The app may end the response by itself.
    poll.reply.raw.on('close', this.#closed)
    context.readers.hold(this, poll.request, context.guard.grantOf(poll.request).permit)
    readerOpened('longpoll', this, poll.request)
    poll.group.join(this)
    forgetLong(poll.request)
  }

  get effort(): number {
    return EFFORT
  }

  deliver(after: number): void {
    this.runInAsyncScope(this.#deliver, this, after)
  }

  #deliver(after: number): void {
    const { closing } = this.#context.readers
    this.#release(closing ? 'closing' : 'answered')
    this.#poll.noteHeld()
    try {
      if (!this.#poll.answer({ seq: after })) this.#poll.nothing(this.#asked)
    } catch (error) {
      this.#poll.reply.send(error)
    }
  }

  turned(after: number): void {
    const { log } = this.#context.bus
    const { group } = this.#poll
    const fork = log.forkAt({ epoch: this.#epoch, seq: this.#asked }, group.channels)
    if (fork !== undefined) this.runInAsyncScope(this.#tell, this, fork)
    else if (group.gapAfter(after) !== undefined || this.#poll.finds({ seq: after })) this.deliver(after)
    else {
      this.#epoch = log.epoch
      this.seen = log.head
    }
  }

  #tell(gap: Gap): void {
    this.#release('answered')
    try {
      refuseGap(this.#context.bus.log, this.#poll.reply, gap)
    } catch (error) {
      this.#poll.reply.send(error)
    }
  }

  /** Answers with nothing, unless a message is due at the end of this turn. */
  #answer(): void {
    this.deliver(this.#poll.group.placeOf(this))
  }

  goAway(): void {
    this.#answer()
  }

  revoke(): void {
    this.#release('revoked')
    this.#poll.reply.send(new ERR_FORBIDDEN())
  }

  clientGone(): void {
    this.#release('client')
  }

  #release(reason: CloseReason): void {
    if (this.indexInReaders !== NOWHERE) readerClosed('longpoll', this, reason)
    clearTimeout(this.#timer)
    this.#connection.release(this)
    this.#poll.reply.raw.off('close', this.#closed)
    this.#poll.group.leave(this)
    this.#context.readers.release(this)
  }
}
