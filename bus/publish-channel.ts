import { channel } from 'node:diagnostics_channel'

/** What is published on the diagnostics channel `tidings.publish` for each entry that gets into this process's log. */
export interface PublishMessage {
  readonly cursor: string
  readonly channel: string
  /** When the bus accepted it: milliseconds since 1970. */
  readonly time: number
  /** Bytes of its envelope. */
  readonly size: number
  /** Whether it ends its channel. */
  readonly end: boolean
}

/** Without a subscriber it costs nothing. */
export const publishChannel = channel('tidings.publish')
