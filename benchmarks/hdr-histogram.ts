import { build, type Histogram as HdrHistogram } from 'hdr-histogram-js'

export type { HdrHistogram }

/** @returns a histogram of microseconds with three significant digits, up to one hour */
export function hdrHistogram(): HdrHistogram {
  return build({ highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: 3 })
}
