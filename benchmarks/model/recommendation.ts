import type { Candidate } from './ranking.ts'

/** What is to be used, and what it is better than. */
export interface Recommendation {
  readonly best: Candidate
  /** Those that cost about the same. */
  readonly ties: readonly Candidate[]
  /** The cheapest of those that cost more. */
  readonly next: Candidate | undefined
}

/** @param candidates as `rank` gives them; undefined where there is none */
export function recommend(candidates: readonly Candidate[]): Recommendation | undefined {
  const [best, ...others] = candidates
  if (best === undefined) return undefined
  const end = others.findIndex(({ tie }) => !tie)
  const ties = end === -1 ? others : others.slice(0, end)
  return { best, ties, next: others[ties.length] }
}
