import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { Bus } from '../../bus/bus.ts'
import type { Cost, Meter } from './meter.ts'

/** Milliseconds between two samples of the event loop's delay. */
const RESOLUTION = 10

/** What the log keeps, what each transport has cost, and the process. */
export interface Stats {
  readonly bus: {
    readonly epoch: string
    readonly head: number
    readonly channels: number
    readonly messages: number
    readonly bytes: number
    readonly connected: boolean
  }
  /** Empty where the option `stats` is not set: metering costs something. */
  readonly transports: Readonly<Record<string, Cost>>
  readonly process: {
    readonly cpuMs: number
    readonly rssBytes: number
    /** Zeros where the option `stats` is not set. */
    readonly eventLoopDelayMs: { readonly p50: number; readonly p99: number }
  }
}

/** Where the figures of one registration come from. */
export class Figures {
  readonly #bus: Bus
  readonly #meter: Meter | undefined
  readonly #delay: IntervalHistogram | undefined

  /** @param meter undefined where nothing is metered */
  constructor(bus: Bus, meter: Meter | undefined) {
    this.#bus = bus
    this.#meter = meter
    if (meter === undefined) return
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION })
    this.#delay.enable()
  }

  /** The figures up to now. */
  get stats(): Stats {
    const { log, connected = true } = this.#bus
    const { user, system } = process.cpuUsage()
    return {
      bus: { epoch: log.epoch, head: log.head, ...log.kept, connected },
      transports: this.#meter?.costs ?? {},
      process: {
        cpuMs: (user + system) / 1000,
        rssBytes: process.memoryUsage.rss(),
        eventLoopDelayMs: { p50: this.#late(50), p99: this.#late(99) },
      },
    }
  }

  /** A sample is the time between two timers: the delay is what it has over the resolution. */
  #late(percentile: number): number {
    return Math.max(0, (this.#delay?.percentile(percentile) ?? 0) / 1e6 - RESOLUTION)
  }

  close(): void {
    this.#delay?.disable()
  }
}
