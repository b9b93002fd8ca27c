import { type Change, judgedOf } from './compare.ts'
import { quietOf } from './gates.ts'
import { otherOf } from './plan.ts'
import type { Measured } from './record.ts'
import type { Outcome } from './run.ts'
import { compare } from './statistics.ts'

/** Compares two checkouts that ran in alternation, round by round. */

const FIGURES: Readonly<Record<string, (round: Measured) => number | null>> = {
  'delay p50, ms': ({ latency }) => latency?.p50 ?? null,
  'server CPU, µs': ({ cpuPerDelivery }) => cpuPerDelivery,
  bytes: ({ bytes }) => bytes?.both ?? null,
  requests: ({ requests }) => requests,
}

/** Compares this checkout with the other one. Empty without another checkout. */
export function turnsOf({ settings, rounds }: Outcome): Change[] {
  const { against, variants } = settings
  if (against === undefined) return []
  const of = (name: string) => quietOf(rounds.filter(({ variant }) => variant === name))
  return variants.flatMap((variant) => {
    const others = of(otherOf(variant, against).name)
    return Object.entries(FIGURES).flatMap(([figure, take]): Change[] => {
      const pairs = of(variant.name).flatMap((round) => {
        const other = others.find(({ block }) => block === round.block)
        const [one, two] = [take(round), other === undefined ? null : take(other)]
        return one === null || two === null || two <= 0 ? [] : [[one, two] as const]
      })
      if (pairs.length === 0) return []
      const { ratio } = compare(
        pairs.map(([one]) => one),
        pairs.map(([, two]) => two),
      )
      return [{ variant: variant.name, figure, ratio, verdict: judgedOf(ratio) }]
    })
  })
}
