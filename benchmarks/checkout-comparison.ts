import { type Change, changeVerdict } from './compare.ts'
import { undisturbedOf } from './failures.ts'
import { otherCheckoutVariant } from './plan.ts'
import type { RoundResult } from './round-result.ts'
import type { Outcome } from './run.ts'
import { compare } from './statistics.ts'

/** Compares two checkouts that ran in alternation, round by round. */

const FIGURES: Readonly<Record<string, (round: RoundResult) => number | null>> = {
  'latency p50, ms': ({ latency }) => latency?.p50 ?? null,
  'server CPU, µs': ({ cpuPerDelivery }) => cpuPerDelivery,
  bytes: ({ bytes }) => bytes?.both ?? null,
  requests: ({ requests }) => requests,
}

/** Compares this checkout with the other one. Empty without another checkout. */
export function compareCheckouts({ settings, rounds }: Outcome): Change[] {
  const { against, variants } = settings
  if (against === undefined) return []
  const of = (name: string) => undisturbedOf(rounds.filter(({ variant }) => variant === name))
  return variants.flatMap((variant) => {
    const others = of(otherCheckoutVariant(variant, against).name)
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
      return [{ variant: variant.name, figure, ratio, verdict: changeVerdict(ratio) }]
    })
  })
}
