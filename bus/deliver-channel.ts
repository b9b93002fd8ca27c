import { channel } from 'node:diagnostics_channel'

/** Published on the diagnostics channel `tidings.deliver` when the live readers of some channels have got a batch. */
export interface DeliverMessage {
  readonly channels: readonly string[]
  /** Milliseconds from the append of the batch's first message in this process until it was written to all of them. */
  readonly delayMs: number
}

/** Free of cost without a subscriber. */
export const deliverChannel = channel('tidings.deliver')
