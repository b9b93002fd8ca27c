import { procCpuOf } from './machine.ts'
import type { Variant, Workload } from './plan.ts'
import type { Child } from './processes/child.ts'
import type { LoadApi } from './processes/load.ts'
import type { ServerApi } from './processes/server.ts'
import type { Endpoint } from './readers/reader.ts'
import { medianOf } from './statistics.ts'

/** Warms a server up until V8 has compiled its code and the CPU cost per unit stops falling. */

export interface ServerWarmup {
  readonly variant: string
  /** The index of the variant's server, from 0. */
  readonly server: number
  /** What is counted. */
  readonly unit: 'publish' | 'request' | 'delivery'
  /**
   * Completed units, and the CPU cost per unit since the previous point in microseconds. Null if the CPU is unknown.
   */
  readonly points: readonly { readonly units: number; readonly cpu: number | null }[]
  /** Whether the cost had stopped falling at the end. Null if the CPU is unknown or the plan has too few units. */
  readonly settled: boolean | null
  readonly seconds: number
}

/** Units up to each of the first points, which are cold, and between all later ones. */
const FIRST = [200, 300, 500, 1000, 3000]
const STEP = 5000
/** Number of points to compare with as many earlier ones, and the maximum decrease of a settled server. */
const WINDOW = 3
const FALL = 0.05
/** Minimum units of a server that is warmed up. */
const ENOUGH = 50_000
/** Maximum seconds. */
const MOST = 20
/** Deliveries per publish to a channel without readers. */
const DELIVERIES = 10

export interface ServerWarmupPlan {
  readonly variant: Variant
  readonly workload: Workload
  readonly generation: number
  readonly target: Endpoint
  readonly server: Child<ServerApi> | undefined
  /** The process that does the work, if known. */
  readonly pid?: number | undefined
  /** The adapter of a server that is not part of this package. */
  readonly adapter?: string | undefined
  readonly load: Child<LoadApi>
  /** Minimum units. */
  readonly units: number
}

export async function warmUpServer(plan: ServerWarmupPlan): Promise<ServerWarmup> {
  const { variant, workload, generation, target, server, pid, adapter, load, units } = plan
  const { kind } = variant
  const { subscribers, payload } = workload
  // An adapter has a single channel, and it has readers.
  const aside =
    kind === undefined || kind === 'poll' || adapter !== undefined ? 0 : Math.ceil(subscribers / DELIVERIES)
  await load.call('startClosedLoop', { target, kind, adapter, subscribers, payload, aside })
  const points: { units: number; cpu: number | null }[] = []
  let total = 0
  let seconds = 0
  try {
    const cpuNow = async () =>
      server === undefined ? pid && procCpuOf(pid) : (await server.call('usage', undefined)).cpu
    // Opening the connections is not a unit.
    await load.call('runClosedLoop', 1)
    let before = await cpuNow()
    while (total < units || (units >= ENOUGH && hasSettled(points) === false && seconds < MOST)) {
      const done = await load.call('runClosedLoop', FIRST[points.length] ?? STEP)
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
    await load.call('stopClosedLoop', undefined)
  }
  const unit = kind === undefined ? 'publish' : kind === 'poll' ? 'request' : 'delivery'
  const settled = units < ENOUGH ? null : hasSettled(points)
  return { variant: variant.name, server: generation, unit, points, settled, seconds }
}

/** Whether the cost per unit has stopped falling: the last points are about as high as the points before them. */
export function hasSettled(points: ServerWarmup['points']): boolean | null {
  const costs = points.map(({ cpu }) => cpu)
  if (costs.includes(null)) return null
  const warm = (costs as number[]).slice(FIRST.length)
  if (warm.length < 2 * WINDOW) return false
  const last = medianOf(warm.slice(-WINDOW))
  return last >= (1 - FALL) * medianOf(warm.slice(-2 * WINDOW, -WINDOW))
}

/** The CPU cost of a cold start. */
export interface ColdStart {
  readonly variant: string
  readonly unit: ServerWarmup['unit']
  /** Microseconds per unit at the start and at the end. */
  readonly cold: number
  readonly warm: number
  /** Milliseconds of CPU beyond the cost of as many units on the warmed-up server. */
  readonly extra: number
}

export function coldStartOf({ variant, unit, points }: ServerWarmup): ColdStart | null {
  const known = points.flatMap(({ units, cpu }) => (cpu === null ? [] : [{ units, cpu }]))
  if (known.length === 0) return null
  const warm = medianOf(known.slice(-WINDOW).map(({ cpu }) => cpu))
  let extra = 0
  for (const [i, { units, cpu }] of known.entries()) {
    extra += ((units - (known[i - 1]?.units ?? 0)) * (cpu - warm)) / 1e3
  }
  return { variant, unit, cold: known[0]!.cpu, warm, extra }
}
