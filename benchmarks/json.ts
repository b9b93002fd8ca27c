import { versions } from './machine.ts'
import type { Outcome } from './run.ts'
import { passed, sectionValidity } from './run.ts'
import { rankingOf, summariesOf } from './summary.ts'

/** The version of the results format. Increment it with every change that affects consumers. */
export const FORMAT = 5

/** Converts the outcome to JSON as described by `results.schema.json`. */
export function resultsOf(outcome: Outcome) {
  const { settings, rounds, failures, repeated, residuals, partial } = outcome
  return {
    format: FORMAT,
    date: outcome.date.toISOString(),
    machine: outcome.machine,
    versions: versions(),
    passed: passed(outcome),
    partial,
    repeated,
    settings: {
      ...settings.workload,
      variants: settings.variants.map(({ name }) => name),
      rounds: settings.rounds,
      warmup: settings.warmup,
      duration: settings.duration,
      heat: settings.heat,
      seed: settings.seed,
      quick: settings.quick,
      url: settings.url?.href ?? null,
      target: settings.target ?? null,
      against: settings.against ?? null,
    },
    judgements: sectionValidity(outcome),
    sections: sectionsOf(outcome),
    summaries: summariesOf(outcome),
    ranking: rankingOf(outcome),
    residuals,
    heatings: outcome.heatings,
    hot: outcome.hot,
    memory: outcome.memory,
    ceiling: outcome.ceiling,
    failures,
    rounds,
  }
}

/** Describes the sections. */
export function sectionsOf({ sections }: Pick<Outcome, 'sections'>) {
  return sections.map(({ name, title, blocks }) => ({
    name,
    title,
    rate: blocks[0]![0]!.workload.rate,
    rtt: blocks[0]![0]!.workload.rtt,
  }))
}

export type Results = ReturnType<typeof resultsOf>
