import type { FastifyRequest } from 'fastify'
import { ERR_CLOSED, ERR_READERS } from '../../bus/errors.ts'
import { NOWHERE } from '../../bus/indexed-set.ts'
import { Connection, type Guest } from './connection.ts'
import type { Question } from './options.ts'

/**
 * Questions whose answers the app is still looking for. They may never come: as many wait as there are places for
 * readers, one that nobody waits for any more is let go, and a server that goes away waits for none.
 */
export class Pending {
  readonly #most: number
  readonly #ends = new Set<(error: Error) => void>()
  #closed = false

  constructor(most: number) {
    this.#most = most
  }

  /** @throws TIDINGS_ERR_READERS, TIDINGS_ERR_CLOSED, and what the answer rejects with */
  async wait<T>(answer: PromiseLike<T>, request: FastifyRequest, action: Question['action']): Promise<T> {
    const connection = Connection.of(request.raw)
    let refuse!: (error: Error) => void
    const ended = new Promise<never>((_, reject) => {
      refuse = reject
    })
    const guest: Guest = { indexAtConnection: NOWHERE, clientGone: () => refuse(new ERR_CLOSED()) }
    // What a client has published before it left is not lost.
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
