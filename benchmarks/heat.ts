import { cpuOf } from './machine.ts'
import type { Variant, Workload } from './plan.ts'
import type { Child } from './processes/child.ts'
import type { LoadApi } from './processes/load.ts'
import type { ServerApi } from './processes/server.ts'
import type { Target } from './readers/reader.ts'
import { medianOf } from './statistics.ts'

/** How a server becomes hot: its code is compiled as it is run often, and what a unit costs falls until that is over. */

export interface Heating {
  readonly variant: string
  /** Which of the variant's servers it is, from 0 on. */
  readonly server: number
  /** What is counted. */
  readonly unit: 'publish' | 'request' | 'delivery'
  /** Units so far, and what each of those since the point before has taken of the server, in microseconds of CPU. */
  readonly points: readonly { readonly units: number; readonly cpu: number | null }[]
  /** Whether the cost had stopped falling at the end. Null: an app that does not tell its CPU, or fewer units were asked for. */
  readonly settled: boolean | null
  readonly seconds: number
}

/** Units of the first points, which are cold, and of all that follow. */
const FIRST = [200, 300, 500, 1000, 3000]
const STEP = 5000
/** Points that are compared with as many before them, and how much lower they may still be. */
const WINDOW = 3
const FALL = 0.05
/** Units from which on a server can be called hot. */
const ENOUGH = 50_000
/** Seconds that it may take. */
const MOST = 20
/** Publishes to nobody, to each ten deliveries. */
const DELIVERIES = 10

export interface HeatPlan {
  readonly variant: Variant
  readonly workload: Workload
  readonly generation: number
  readonly target: Target
  readonly server: Child<ServerApi> | undefined
  /** The process that does its work, where it is known. */
  readonly pid?: number | undefined
  /** Of a server that is none of ours. */
  readonly adapter?: string | undefined
  readonly load: Child<LoadApi>
  /** The least that it has behind it in the end. */
  readonly units: number
}

export async function heat(plan: HeatPlan): Promise<Heating> {
  const { variant, workload, generation, target, server, pid, adapter, load, units } = plan
  const { kind } = variant
  const { subscribers, payload } = workload
  // An adapter has one channel, which is read.
  const aside =
    kind === undefined || kind === 'poll' || adapter !== undefined ? 0 : Math.ceil(subscribers / DELIVERIES)
  await load.call('drive', { target, kind, adapter, subscribers, payload, aside })
  const points: { units: number; cpu: number | null }[] = []
  let total = 0
  let seconds = 0
  try {
    const cpuNow = async () =>
      server === undefined ? pid && cpuOf(pid) : (await server.call('usage', undefined)).cpu
    // Opening is no unit.
    await load.call('driven', 1)
    let before = await cpuNow()
    while (total < units || (units >= ENOUGH && settledOf(points) === false && seconds < MOST)) {
      const done = await load.call('driven', FIRST[points.length] ?? STEP)
      const after = await cpuNow()
      total += done.units
      seconds += done.seconds
      points.push({
        units: total,
        cpu: after === undefined || before === undefined ? null : (after - before) / done.units,
      })
      before = after
    }
  } finally {
    await load.call('driveStop', undefined)
  }
  const unit = kind === undefined ? 'publish' : kind === 'poll' ? 'request' : 'delivery'
  const settled = units < ENOUGH ? null : settledOf(points)
  return { variant: variant.name, server: generation, unit, points, settled, seconds }
}

/** Whether what a unit costs has stopped falling: the last points are about as high as those before them. */
export function settledOf(points: Heating['points']): boolean | null {
  const costs = points.map(({ cpu }) => cpu)
  if (costs.includes(null)) return null
  const hot = (costs as number[]).slice(FIRST.length)
  if (hot.length < 2 * WINDOW) return false
  const last = medianOf(hot.slice(-WINDOW))
  return last >= (1 - FALL) * medianOf(hot.slice(-2 * WINDOW, -WINDOW))
}

/** What a server has cost until it was hot. */
export interface ColdStart {
  readonly variant: string
  readonly unit: Heating['unit']
  /** Microseconds of a unit: of the first of them, and in the end. */
  readonly cold: number
  readonly hot: number
  /** Milliseconds of CPU that all of it has taken more than the same units of a hot server. */
  readonly extra: number
}

export function coldStartOf({ variant, unit, points }: Heating): ColdStart | null {
  const known = points.flatMap(({ units, cpu }) => (cpu === null ? [] : [{ units, cpu }]))
  if (known.length === 0) return null
  const hot = medianOf(known.slice(-WINDOW).map(({ cpu }) => cpu))
  let extra = 0
  for (const [i, { units, cpu }] of known.entries()) {
    extra += ((units - (known[i - 1]?.units ?? 0)) * (cpu - hot)) / 1e3
  }
  return { variant, unit, cold: known[0]!.cpu, hot, extra }
}
