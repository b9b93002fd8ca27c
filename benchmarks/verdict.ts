import { type Failure, isDisturbed, quietNeeded } from './gates.ts'
import type { Section } from './plan.ts'
import type { Measured } from './record.ts'
import type { Residual } from './residual.ts'

/** What may be said of each section, from what stands against its rounds. */

export interface Judgement {
  readonly section: string
  readonly title: string
  /**
   * `holds`: nothing stands against it. `wrong`: something does, whatever the machine did. `void`: the machine disturbed
   * too much of it to tell; its figures are not to be cited, and those of other sections are none the worse.
   */
  readonly state: 'holds' | 'wrong' | 'void'
  readonly rounds: number
  readonly quiet: number
  /** Lines of the model: that hold, that fail, and that could not be judged. */
  readonly model: { readonly holds: number; readonly fails: number; readonly unjudged: number }
  /** Variants with too few rounds that nothing disturbed, and servers that were not hot. */
  readonly reasons: readonly string[]
}

/** What the judgement is of. */
export interface Judged {
  readonly sections: readonly Section[]
  readonly rounds: readonly Measured[]
  readonly failures: readonly Failure[]
  readonly residuals: readonly Residual[]
  /** Variants whose server's cost was still falling when it was measured. */
  readonly cold: readonly string[]
}

export function judgementsOf({ sections, rounds, failures, residuals, cold }: Judged): Judgement[] {
  return sections.flatMap(({ name, title, blocks }): Judgement[] => {
    const own = rounds.filter(({ section }) => section === name)
    if (own.length === 0) return []
    const quiet = own.filter((round) => !isDisturbed(round)).length
    const variants = [...new Set(blocks.flat().map(({ variant }) => variant.name))]
    const reasons = variants.flatMap((variant) => {
      const all = own.filter((round) => round.variant === variant)
      const calm = all.filter((round) => !isDisturbed(round)).length
      const found =
        calm < quietNeeded(all.length) ? [`${variant}: ${calm} of ${all.length} rounds were quiet`] : []
      return cold.includes(variant) ? [...found, `${variant}: its server was not hot`] : found
    })
    const lines = residuals.filter(({ section }) => section === name)
    const model = {
      holds: lines.filter(({ holds }) => holds === true).length,
      fails: lines.filter(({ holds }) => holds === false).length,
      unjudged: lines.filter(({ holds }) => holds === null).length,
    }
    // What was judged of bytes and requests was judged by rounds that could not spoil them.
    const failing = lines.some(
      ({ holds, figure }) => holds === false && (figure !== 'delay' || reasons.length === 0),
    )
    const wrong = failing || failures.some(({ kind, section }) => kind === 'wrong' && section === name)
    const state = wrong ? 'wrong' : reasons.length > 0 ? 'void' : 'holds'
    return [{ section: name, title, state, rounds: own.length, quiet, model, reasons }]
  })
}

/** Whether the run can be believed: nothing is wrong with it, and its first section could be judged. */
export function believable(judgements: readonly Judgement[]): boolean {
  return judgements[0]?.state === 'holds' && judgements.every(({ state }) => state !== 'wrong')
}
