import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import { now } from '../clock.ts'
import { waited } from '../machine.ts'

/** Resource usage of a process at one moment. */
export interface Usage {
  /** Microseconds on the shared clock. */
  readonly at: number
  /** Microseconds of CPU, user and system. */
  readonly cpu: number
  readonly rssBytes: number
  /** Event loop utilisation since the start. */
  readonly loop: EventLoopUtilization
  /** Microseconds for which the process was runnable without a core; 0 if unknown. */
  readonly waited: number
}

/**
 * Returns the usage of this process. It runs no timer between two calls: a monitor of the event loop's delay would wake
 * up each process a hundred times per second, which takes as much CPU as 250 deliveries.
 */
export function usage(): Usage {
  const { user, system } = process.cpuUsage()
  return {
    at: now(),
    cpu: user + system,
    rssBytes: process.memoryUsage.rss(),
    loop: performance.eventLoopUtilization(),
    waited: waited(),
  }
}
