import { type Failure, isDisturbed, undisturbedNeeded } from './failures.ts'
import type { Section } from './plan.ts'
import type { Residual } from './residual.ts'
import type { RoundResult } from './round-result.ts'

/** Decides whether each section is valid, from its rounds, failures and residuals. */

export interface SectionValidity {
  readonly section: string
  readonly title: string
  /**
   * `holds`: valid. `wrong`: failed, and no disturbance explains it. `void`: inconclusive because of too many disturbed
   * rounds or a server that was not warmed up; do not cite the figures. Other sections are not affected.
   */
  readonly state: 'holds' | 'wrong' | 'void'
  readonly rounds: number
  readonly quiet: number
  /** Residuals that agree, that differ, and that are inconclusive. */
  readonly model: { readonly holds: number; readonly fails: number; readonly unjudged: number }
  /** Variants with too few undisturbed rounds, or with servers that were not warmed up. */
  readonly reasons: readonly string[]
}

export interface ValidityInput {
  readonly sections: readonly Section[]
  readonly rounds: readonly RoundResult[]
  readonly failures: readonly Failure[]
  readonly residuals: readonly Residual[]
  /** Variants with a server that had not settled. */
  readonly cold: readonly string[]
}

export function validityOf({
  sections,
  rounds,
  failures,
  residuals,
  cold,
}: ValidityInput): SectionValidity[] {
  return sections.flatMap(({ name, title, blocks }): SectionValidity[] => {
    const own = rounds.filter(({ section }) => section === name)
    if (own.length === 0) return []
    const quiet = own.filter((round) => !isDisturbed(round)).length
    const variants = [...new Set(blocks.flat().map(({ variant }) => variant.name))]
    const reasons = variants.flatMap((variant) => {
      const all = own.filter((round) => round.variant === variant)
      const undisturbed = all.filter((round) => !isDisturbed(round)).length
      const found =
        undisturbed < undisturbedNeeded(all.length)
          ? [`${variant}: ${undisturbed} of ${all.length} rounds undisturbed`]
          : []
      return cold.includes(variant)
        ? [...found, `${variant}: its server did not reach a steady state`]
        : found
    })
    const lines = residuals.filter(({ section }) => section === name)
    const model = {
      holds: lines.filter(({ holds }) => holds === true).length,
      fails: lines.filter(({ holds }) => holds === false).length,
      unjudged: lines.filter(({ holds }) => holds === null).length,
    }
    // The residuals of bytes and requests use rounds in which no disturbance affects them.
    const failing = lines.some(
      ({ holds, figure }) => holds === false && (figure !== 'delay' || reasons.length === 0),
    )
    const wrong = failing || failures.some(({ kind, section }) => kind === 'wrong' && section === name)
    const state = wrong ? 'wrong' : reasons.length > 0 ? 'void' : 'holds'
    return [{ section: name, title, state, rounds: own.length, quiet, model, reasons }]
  })
}

/** Whether the run is valid: no section is wrong, and the first one holds. */
export function isValid(sections: readonly SectionValidity[]): boolean {
  return sections[0]?.state === 'holds' && sections.every(({ state }) => state !== 'wrong')
}
