import { failuresOf } from './failures.ts'
import { type BenchOptions, parseBenchOptions } from './options.ts'
import { planOf } from './plan.ts'
import type { PublishedResults } from './publication.ts'
import { type Outcome, residualsIn } from './run.ts'

/**
 * Restores the outcome of a run from its results file, so that its report can be rendered again. Failures
 * and predictions are computed anew from the rounds.
 */
export function outcomeOf(results: PublishedResults): Outcome {
  const { args, rounds, repeated, heatings, hot, memory, ceiling, machine } = results
  const settings = parseBenchOptions([...args]) as BenchOptions
  const sections = planOf(settings)
  const residuals = residualsIn(sections, rounds)
  const failures = rounds.flatMap(failuresOf)
  const stored = { rounds, repeated, heatings, hot, memory, ceiling, machine }
  return { date: new Date(results.date), settings, sections, residuals, failures, ...stored, partial: false }
}
