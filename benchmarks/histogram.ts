import { build, type Histogram } from 'hdr-histogram-js'

export type { Histogram }

/** @returns a histogram of microseconds, up to an hour, with three digits */
export function histogram(): Histogram {
  return build({ highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: 3 })
}
