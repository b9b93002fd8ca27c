import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks'
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
  /** 99th percentile of the event loop delay since the last call, in milliseconds. */
  readonly delayP99: number
  /** Microseconds for which the process was runnable without a core; 0 if unknown. */
  readonly waited: number
}

const RESOLUTION = 10

/** Starts measuring this process. */
export function usageMeter(): () => Usage {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
  delay.enable()
  return () => {
    const { user, system } = process.cpuUsage()
    const usage = {
      at: now(),
      cpu: user + system,
      rssBytes: process.memoryUsage.rss(),
      loop: performance.eventLoopUtilization(),
      delayP99: Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION),
      waited: waited(),
    }
    delay.reset()
    return usage
  }
}
