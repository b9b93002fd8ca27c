import { channel } from 'node:diagnostics_channel'

/** Published on the diagnostics channel `tidings.publish` for each entry that is appended to this process's log. */
export interface PublishMessage {
  readonly cursor: string
  readonly channel: string
  /** When the bus accepted it: milliseconds since 1970. */
  readonly time: number
  /** Bytes of the envelope. */
  readonly size: number
  /** Whether the entry ends its channel. */
  readonly end: boolean
}

/** Free of cost without a subscriber. */
export const publishChannel = channel('tidings.publish')
