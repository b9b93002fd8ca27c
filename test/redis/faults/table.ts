import type { Test } from 'tap'
import { needsRedis } from '../server.ts'

/** Milliseconds after which a row has failed: what it waits for has not come. */
const PATIENCE = 240_000

/** Rows of the table of faults, each with what its clients observe. They wait more than they work. */
export function faults(t: Test, rows: Readonly<Record<string, (t: Test) => Promise<void>>>): void {
  t.jobs = 3
  for (const [name, row] of Object.entries(rows)) {
    t.test(name, { buffered: true, timeout: PATIENCE }, async (t) => {
      if (needsRedis(t)) await row(t)
    })
  }
}
