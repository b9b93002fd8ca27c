import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { Bus } from '../../bus/bus.ts'
import type { Cost, Meter } from './meter.ts'

/** Milliseconds between samples of the event loop's delay. */
const RESOLUTION = 10

/** Figures of the log, of each transport and of the process. */
export interface Stats {
  readonly bus: {
    readonly epoch: string
    readonly head: number
    readonly channels: number
    readonly messages: number
    readonly bytes: number
    readonly connected: boolean
    /** Messages that a shared log has and this process does not have yet. */
    readonly lag: number
  }
  /** Empty unless the option `stats` is set, since metering has a cost. */
  readonly transports: Readonly<Record<string, Cost>>
  readonly process: {
    readonly cpuMs: number
    readonly rssBytes: number
    /** Zeros unless the option `stats` is set. */
    readonly eventLoopDelayMs: { readonly p50: number; readonly p99: number }
  }
}

/** The sources of the figures of one registration. */
export class Figures {
  readonly #bus: Bus
  readonly #meter: Meter | undefined
  readonly #delay: IntervalHistogram | undefined

  /** @param meter undefined without metering */
  constructor(bus: Bus, meter: Meter | undefined) {
    this.#bus = bus
    this.#meter = meter
    if (meter === undefined) return
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION })
    this.#delay.enable()
  }

  /** The current figures. */
  get stats(): Stats {
    const { log, connected = true, lag = 0 } = this.#bus
    const { user, system } = process.cpuUsage()
    return {
      bus: { epoch: log.epoch, head: log.head, ...log.kept, connected, lag },
      transports: this.#meter?.costs ?? {},
      process: {
        cpuMs: (user + system) / 1000,
        rssBytes: process.memoryUsage.rss(),
        eventLoopDelayMs: { p50: this.#late(50), p99: this.#late(99) },
      },
    }
  }

  /** A sample is the time between two timers. The delay is its excess over the resolution. */
  #late(percentile: number): number {
    return Math.max(0, (this.#delay?.percentile(percentile) ?? 0) / 1e6 - RESOLUTION)
  }

  close(): void {
    this.#delay?.disable()
  }
}
