/**
 * What a subscriber costs a server in CPU, at rates and intervals beside those that were measured: straight lines
 * between the figures. One line through them all would not do: a server that wakes for each message pays more for one
 * that comes alone than for one of many.
 */

/** Microseconds of CPU of a subscriber and second, where so many messages a second come to it. */
export interface Point {
  readonly rate: number
  readonly cpu: number
}

/** Readers that stay. */
export type Held = 'longpoll' | 'sse' | 'ws'

/** What was measured on some machine, by rising rate: two points each at least. */
export interface Coefficients {
  readonly held: ReadonlyMap<Held, readonly Point[]>
  /** By their intervals, in seconds. */
  readonly polls: ReadonlyMap<number, readonly Point[]>
}

/**
 * At so many messages a second. A poll each `interval` seconds stands on the line over requests a second through what
 * polls have cost at that rate. It begins, for none, with what the messages have cost the rarest of them.
 * @returns undefined where it was not measured
 */
export function cpuOf(
  { way, interval }: { readonly way: 'poll' | Held; readonly interval: number },
  rate: number,
  { held, polls }: Coefficients,
): number | undefined {
  if (way !== 'poll') {
    const points = held.get(way)
    return points && at(rate, curveOf(points))
  }
  if (polls.size === 0) return undefined
  const curves = [...polls].map(([every, points]) => [1 / every, curveOf(points)] as const)
  curves.sort(([a], [b]) => a - b)
  const rarest = curves[0]![1]
  const messages = Math.max(0, at(rate, rarest) - at(0, rarest))
  return at(1 / interval, [
    [0, messages],
    ...curves.map(([often, curve]) => [often, at(rate, curve)] as const),
  ])
}

/** x and y, by rising x. */
type Curve = readonly (readonly [x: number, y: number])[]

/** A message more never costs less: where the figures say so it is noise, and would go on beyond the last of them. */
function curveOf(points: readonly Point[]): Curve {
  let most = 0
  return points.map(({ rate, cpu }) => {
    most = Math.max(most, cpu)
    return [rate, most] as const
  })
}

/** On the straight line between the points on both sides; before the first and behind the last its neighbour goes on. */
function at(x: number, curve: Curve): number {
  const behind = curve.findIndex((point) => point[0] >= x)
  const next = behind === -1 ? curve.length - 1 : Math.max(1, behind)
  const [x0, y0] = curve[next - 1]!
  const [x1, y1] = curve[next]!
  return Math.max(0, y0 + ((y1 - y0) * (x - x0)) / (x1 - x0))
}
