import type { Tidings } from 'fastify-tidings'

/** As much of a SQLite database as is used: that of node:sqlite, or of better-sqlite3. */
export interface Database {
  exec(sql: string): unknown
  prepare(sql: string): {
    run(...values: (string | number)[]): unknown
    get(...values: (string | number)[]): unknown
    all(...values: (string | number)[]): unknown[]
  }
}

/** What an outbox publishes: `version` counts all changes of the database, in the order of their transactions. */
export interface Change<T = unknown> {
  readonly version: number
  readonly change: T
}

interface Row {
  readonly id: number
  readonly channel: string
  readonly data: string
}

/**
 * A transactional outbox: a transaction writes its changes and its messages together, and the messages are published
 * after the commit. No message of a transaction that rolled back is published, and a crash after the commit loses none.
 */
export class Outbox {
  readonly #db: Database
  readonly #tidings: Tidings
  /** One publisher: the order of the messages is that of the transactions. */
  #line: Promise<void> = Promise.resolve()

  constructor(db: Database, tidings: Tidings) {
    this.#db = db
    this.#tidings = tidings
    db.exec(
      'CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, data TEXT NOT NULL)',
    )
  }

  /** How many changes have been committed. To be read in the same transaction as the rows that it goes with. */
  get version(): number {
    const row = this.#db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").get()
    return (row as { seq: number } | undefined)?.seq ?? 0
  }

  /**
   * Runs a transaction, and publishes its messages.
   * @param work gets `tell(channel, change)`, which adds a message; if it throws, everything is rolled back
   * @returns once it is published
   */
  async transaction(work: (tell: (channel: string, change: unknown) => void) => void): Promise<void> {
    const insert = this.#db.prepare('INSERT INTO outbox (channel, data) VALUES (?, ?)')
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      work((channel, change) => insert.run(channel, JSON.stringify(change)))
      this.#db.exec('COMMIT')
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
    await this.flush()
  }

  /** Publishes what is waiting: also what a process that crashed has left. */
  flush(): Promise<void> {
    const flushed = this.#line.then(() => this.#publish())
    this.#line = flushed.catch(() => {})
    return flushed
  }

  async #publish(): Promise<void> {
    const waiting = this.#db.prepare('SELECT id, channel, data FROM outbox ORDER BY id LIMIT 100')
    const remove = this.#db.prepare('DELETE FROM outbox WHERE id = ?')
    for (let rows = waiting.all() as Row[]; rows.length > 0; rows = waiting.all() as Row[]) {
      for (const { id, channel, data } of rows) {
        const message: Change = { version: id, change: JSON.parse(data) }
        // Where the process ends between the two, it is published again, and counts once.
        await this.#tidings.publish(channel, message, { key: `outbox ${id}` })
        remove.run(id)
      }
    }
  }
}
