/** A server to measure. */
export interface Implementation {
  port: number
  publish(channel: string, data: string): void
  /** CPU time in microseconds, if another process does the work. */
  cpu?(): number
  /** Stops everything that the server started. */
  close?(): void
}
