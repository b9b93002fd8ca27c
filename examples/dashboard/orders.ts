import type { Tidings } from 'fastify-tidings'
import { type Database, Outbox } from './outbox.ts'

export interface Order {
  readonly id: number
  readonly customer: string
  readonly total: number
}

/** The rows, the number of the last change that they include, and the cursor from which the log continues. */
export interface Snapshot {
  readonly orders: readonly Order[]
  readonly version: number
  readonly cursor: string
}

export const channelOf = (customer: string): string => `orders.${customer}`

/** Orders in a database. Publishes each change in the channel of its customer. */
export class Orders {
  readonly #db: Database
  readonly #tidings: Tidings
  readonly outbox: Outbox

  constructor(db: Database, tidings: Tidings) {
    this.#db = db
    this.#tidings = tidings
    db.exec(
      'CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, total INTEGER NOT NULL)',
    )
    this.outbox = new Outbox(db, tidings)
  }

  /** Adds to an order, and creates it if it does not exist. */
  add(customer: string, id: number, amount: number): Promise<void> {
    return this.outbox.transaction((tell) => {
      this.#db
        .prepare(
          'INSERT INTO orders VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET total = total + excluded.total',
        )
        .run(id, customer, amount)
      tell(channelOf(customer), { id, customer, amount })
    })
  }

  /**
   * Reads the cursor first, then the rows. A change that is not in the rows is committed later, so it is also published
   * later. If a change is in the rows and also published after the cursor, its `version` is not above the snapshot's.
   */
  snapshot(customer: string): Snapshot {
    const cursor = this.#tidings.cursor()
    this.#db.exec('BEGIN')
    try {
      const orders = this.#db
        .prepare('SELECT id, customer, total FROM orders WHERE customer = ? ORDER BY id')
        .all(customer) as Order[]
      return { orders, version: this.outbox.version, cursor }
    } finally {
      this.#db.exec('COMMIT')
    }
  }
}
