import type { Order, Snapshot } from './orders.ts'
import type { Change } from './outbox.ts'

/** The data of a message in a customer's channel. */
export type OrderChange = Change<{ readonly id: number; readonly customer: string; readonly amount: number }>

/** The state of a page: the snapshot, and each later change once. */
export interface State {
  readonly orders: ReadonlyMap<number, Order>
  readonly version: number
}

export function stateOf({ orders, version }: Snapshot): State {
  return { orders: new Map(orders.map((order) => [order.id, order])), version }
}

export function apply(state: State, { version, change }: OrderChange): State {
  if (version <= state.version) return state
  const { id, customer, amount } = change
  const orders = new Map(state.orders)
  orders.set(id, { id, customer, total: (orders.get(id)?.total ?? 0) + amount })
  return { orders, version }
}
