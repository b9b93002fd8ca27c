import type { Tidings } from 'fastify-tidings'

/** The part of a SQLite database that is used. Both node:sqlite and better-sqlite3 implement it. */
export interface Database {
  exec(sql: string): unknown
  prepare(sql: string): {
    run(...values: (string | number)[]): unknown
    get(...values: (string | number)[]): unknown
    all(...values: (string | number)[]): unknown[]
  }
}

/** A message of the outbox. `version` counts all changes of the database, in the order of their transactions. */
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
  /** One publisher at a time, so that messages have the order of their transactions. */
  #line: Promise<void> = Promise.resolve()

  constructor(db: Database, tidings: Tidings) {
    this.#db = db
    this.#tidings = tidings
    db.exec(
      'CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, data TEXT NOT NULL)',
    )
  }

  /** The number of committed changes. Read it in the same transaction as the rows. */
  get version(): number {
    const row = this.#db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").get()
    return (row as { seq: number } | undefined)?.seq ?? 0
  }

  /**
   * Runs a transaction, and publishes its messages.
   * @param work receives `tell(channel, change)`, which adds a message; if it throws, the transaction is rolled back
   * @returns a promise that resolves once the messages are published
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

  /** Publishes all waiting messages, including those that a crashed process left. */
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
        // If the process ends between the two, the next one publishes the message again. The key makes it count once.
        await this.#tidings.publish(channel, message, { key: `outbox ${id}` })
        remove.run(id)
      }
    }
  }
}
