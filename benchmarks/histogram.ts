import { build, type Histogram } from 'hdr-histogram-js'

export type { Histogram }

/** @returns a histogram of microseconds with three significant digits, up to one hour */
export function histogram(): Histogram {
  return build({ highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: 3 })
}
