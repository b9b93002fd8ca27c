import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { now } from '../clock.ts'
import { waited } from '../machine.ts'

/** What a process has used up to a moment. */
export interface Usage {
  /** Microseconds on the shared clock. */
  readonly at: number
  /** Microseconds of CPU, user and system. */
  readonly cpu: number
  readonly rssBytes: number
  /** The event loop's time at work since it began. */
  readonly loop: EventLoopUtilization
  /** 99th percentile of the event loop's delay since the last look, in milliseconds. */
  readonly delayP99: number
  /** Microseconds for which it was ready to run and another process had its core; 0 where that is not told. */
  readonly waited: number
}

const RESOLUTION = 10

/** Watches this process from now on. */
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
