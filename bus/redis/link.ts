/** One connection. What it rejects with is the last of it: it is not used again. */
export interface Connection {
  send(args: readonly string[], key: string): Promise<unknown>
  destroy(): void
}

/** Opens connections. */
export interface Connect {
  /** @param failed told of a fault between two commands */
  (failed: (error: Error) => void): Promise<Connection>
  /** Loads what it needs. */
  load?(): Promise<unknown>
}

/**
 * A connection for one kind of command. It is made when it is first needed, and thrown away at its first fault: client
 * libraries reconnect by themselves, too, but keep what was not answered, and blocking reads have hung in them for good.
 */
export class Link {
  readonly #connect: Connect
  #connection: Promise<Connection> | undefined
  /** What ends the commands that are under way. */
  readonly #under = new Set<(error: Error) => void>()
  #closed = false

  constructor(connect: Connect) {
    this.#connect = connect
  }

  /**
   * @param key one of those that the command names, by which a cluster finds its server
   * @param signal aborts where the answer is not waited for any more
   * @throws what Redis says, or that the connection is gone
   */
  async send(args: readonly string[], key: string, signal: AbortSignal): Promise<unknown> {
    if (this.#closed) throw new Error('closed')
    this.#connection ??= this.#open()
    const own = this.#connection
    const drop = () => this.#drop(own, signal.reason)
    signal.addEventListener('abort', drop)
    let fail: ((error: Error) => void) | undefined
    try {
      signal.throwIfAborted()
      // No race with a promise that lives as long as the connection: it would keep all that ever raced with it.
      return await new Promise((resolve, reject) => {
        fail = reject
        this.#under.add(reject)
        own.then((connection) => connection.send(args, key)).then(resolve, reject)
      })
    } catch (error) {
      // An answer that refuses the command leaves the connection as it is, but not one that says that it leads astray.
      if (!isAnswer(error)) this.#drop(own, error as Error)
      throw error
    } finally {
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
    own.then(
      (connection) => connection.destroy(),
      () => {},
    )
    if (this.#connection !== own) return
    this.#connection = undefined
    const under = [...this.#under]
    this.#under.clear()
    for (const fail of under) fail(error)
  }

  close(): void {
    this.#closed = true
    if (this.#connection !== undefined) this.#drop(this.#connection, new Error('closed'))
  }
}

/** What Redis says where it is not the server that it was, or is not ready to be one. */
const ASTRAY =
  /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|UNBLOCKED|MOVED|ASK|TRYAGAIN|NOAUTH|WRONGPASS|BUSY)\b/

/** Whether an error is Redis's answer to a command, and says nothing of the connection. */
function isAnswer(error: unknown): boolean {
  const { message = '' } = error as Error
  return /^-?[A-Z]{2,} /.test(message) && !ASTRAY.test(message)
}
