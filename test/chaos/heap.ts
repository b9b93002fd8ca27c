import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose_gc')
const collect: () => void = runInNewContext('gc')

/** Bytes of this process's heap after a collection. */
export function heapNow(): number {
  collect()
  return process.memoryUsage().heapUsed
}

/** What a process holds over its time. */
export class Heap {
  readonly samples: { readonly minute: number; readonly bytes: number }[] = []

  add(minute: number, bytes: number): void {
    this.samples.push({ minute, bytes })
  }

  /** How much more the median of the last third is than that of the third before, in bytes. */
  get growth(): number {
    const third = Math.floor(this.samples.length / 3)
    if (!third) return 0
    return median(this.samples.slice(-third)) - median(this.samples.slice(-2 * third, -third))
  }

  /** The slope of a straight line through the samples of the last two thirds, in bytes a minute. */
  get slope(): number {
    const some = this.samples.slice(Math.floor(this.samples.length / 3))
    const mean = (of: (sample: (typeof some)[0]) => number) =>
      some.reduce((sum, sample) => sum + of(sample), 0) / some.length
    const minute = mean((sample) => sample.minute)
    const bytes = mean((sample) => sample.bytes)
    const spread = mean((sample) => (sample.minute - minute) ** 2)
    return spread ? mean((sample) => (sample.minute - minute) * (sample.bytes - bytes)) / spread : 0
  }
}

function median(samples: readonly { readonly bytes: number }[]): number {
  return samples.map(({ bytes }) => bytes).sort((a, b) => a - b)[samples.length >> 1]!
}
