/** What is measured: something to publish to, and a port to read from. */
export interface Side {
  port: number
  publish(channel: string, data: string): void
  /** Microseconds of CPU so far, where another process than this one serves. */
  cpu?(): number
  /** Ends what it has started. */
  close?(): void
}
