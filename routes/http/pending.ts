import type { FastifyRequest } from 'fastify'
import { ERR_CLOSED, ERR_READERS } from '../../bus/errors.ts'
import { NOWHERE } from '../../bus/indexed-set.ts'
import { Connection, type Guest } from './connection.ts'
import type { Question } from './options.ts'

/**
 * Pending promises of the app, which may never settle. Their number is limited like that of readers, the wait ends when
 * the client disconnects, and a server that closes waits for none.
 */
export class Pending {
  readonly #most: number
  readonly #ends = new Set<(error: Error) => void>()
  #closed = false

  constructor(most: number) {
    this.#most = most
  }

  /** @throws TIDINGS_ERR_READERS, TIDINGS_ERR_CLOSED, or the rejection */
  async wait<T>(answer: PromiseLike<T>, request: FastifyRequest, action: Question['action']): Promise<T> {
    const connection = Connection.of(request.raw)
    let refuse!: (error: Error) => void
    const ended = new Promise<never>((_, reject) => {
      refuse = reject
    })
    const guest: Guest = { indexAtConnection: NOWHERE, clientGone: () => refuse(new ERR_CLOSED()) }
    // A publish continues after its client has disconnected.
    if (action !== 'publish') connection.add(guest)
    try {
      if (this.#closed || this.#ends.size >= this.#most) refuse(new ERR_READERS())
      this.#ends.add(refuse)
      return await Promise.race([answer, ended])
    } finally {
      this.#ends.delete(refuse)
      connection.delete(guest)
    }
  }

  close(): void {
    this.#closed = true
    for (const end of this.#ends) end(new ERR_CLOSED())
  }
}
