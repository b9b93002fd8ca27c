/** One connection. After a rejection it is not used again. */
export interface Connection {
  send(args: readonly string[], key: string): Promise<unknown>
  destroy(): void
}

/** Opens connections. */
export interface Connect {
  /** @param failed called with an error between two commands */
  (failed: (error: Error) => void): Promise<Connection>
  /** Loads the client library. */
  load?(): Promise<unknown>
}

/**
 * A connection for one kind of command. It is opened on demand and discarded at its first error. Client libraries can
 * reconnect by themselves, but they keep unanswered commands, and blocking reads have hung in them for ever.
 *
 * A command is sent once the previous one has its reply. Redis names no command in a reply: if a proxy loses a command
 * and keeps the connection, every pipelined command after it would get the reply of the next one.
 */
export class Link {
  readonly #connect: Connect
  #connection: Promise<Connection> | undefined
  /** Resolves once the last command on the connection has its reply. */
  #last: Promise<void> | undefined
  /** Reject the pending commands. */
  readonly #under = new Set<(error: Error) => void>()
  #closed = false

  constructor(connect: Connect) {
    this.#connect = connect
  }

  /**
   * @param key a key of the command, by which a cluster finds the server
   * @param signal aborts when the caller gives up
   * @throws the error of Redis or of the connection
   */
  async send(args: readonly string[], key: string, signal: AbortSignal): Promise<unknown> {
    if (this.#closed) throw new Error('closed')
    this.#connection ??= this.#open()
    const own = this.#connection
    const before = this.#last
    let end!: () => void
    const last = new Promise<void>((resolve) => {
      end = resolve
    })
    this.#last = last
    const drop = () => this.#drop(own, signal.reason)
    signal.addEventListener('abort', drop)
    let fail: ((error: Error) => void) | undefined
    try {
      signal.throwIfAborted()
      // No Promise.race with a promise of the connection's lifetime: it would keep every racing promise alive.
      return await new Promise((resolve, reject) => {
        fail = reject
        this.#under.add(reject)
        own
          .then(async (connection) => {
            await before
            if (this.#connection !== own) throw new Error('the connection was discarded')
            return connection.send(args, key)
          })
          .then(resolve, reject)
      })
    } catch (error) {
      // An error reply leaves the connection usable, unless the server is the wrong one.
      if (!isAnswer(error)) this.#drop(own, error as Error)
      throw error
    } finally {
      end()
      if (this.#last === last) this.#last = undefined
      this.#under.delete(fail!)
      signal.removeEventListener('abort', drop)
    }
  }

  #open(): Promise<Connection> {
    const own = this.#connect((error) => this.#drop(own, error))
    own.catch((error) => this.#drop(own, error))
    return own
  }

  #drop(own: Promise<Connection>, error: Error): void {
    if (this.#connection !== own) return
    own.then(
      (connection) => connection.destroy(),
      () => {},
    )
    this.#connection = undefined
    this.#last = undefined
    const under = [...this.#under]
    this.#under.clear()
    for (const fail of under) fail(error)
  }

  close(): void {
    this.#closed = true
    if (this.#connection !== undefined) this.#drop(this.#connection, new Error('closed'))
  }
}

/** Error replies of a server that is no longer, or not yet, the right one. */
const ASTRAY =
  /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|UNBLOCKED|MOVED|ASK|TRYAGAIN|NOAUTH|WRONGPASS|BUSY)\b/

/** Whether an error is a reply of Redis, not a fault of the connection. */
function isAnswer(error: unknown): boolean {
  const { message = '' } = error as Error
  return /^-?[A-Z]{2,} /.test(message) && !ASTRAY.test(message)
}
