import { AA_CONTROL, isOwnServer, PUBLISH_ONLY } from './plan.ts'
import { type Outcome, passed, sectionValidity } from './run.ts'
import type { Estimate } from './statistics.ts'
import { type Ranked, rankingOf, summariesOf } from './summary.ts'
import { show, table } from './table.ts'
import { thresholdsOf } from './thresholds.ts'
import type { SectionValidity } from './validity.ts'

/** Rounds that a comparison needs, and failures to print without --verbose. */
const LEAST_ROUNDS = 6
const SHOWN = 5

/** The summary at the top of the report: the verdict, one row per transport, one sentence per comparison. */
export function overviewText(outcome: Outcome): string {
  const { settings, partial, date, failures } = outcome
  const { cpu, cores, node } = outcome.machine
  const { subscribers, channels, rate, payload, profile, rtt } = settings.workload
  const parts = [
    `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC, ${cores} cores of ${cpu}, Node ${node}\n${subscribers} subscribers, ${channels === 'shared' ? 'one shared channel' : 'one channel each'}, ` +
      `${rate} messages/s per channel, ${payload} bytes, headers: ${profile}, ${rtt > 0 ? `round trip + ${rtt} ms, ` : ''}seed ${settings.seed}\n`,
  ]
  parts.push(verdictText(outcome))
  if (partial) parts.push('PARTIAL: interrupted. The figures below cover only the completed blocks.\n')
  parts.push(...transportTable(outcome))
  const sentences = rankingOf(outcome).flatMap(sentenceOf)
  if (sentences.length > 0) parts.push(`${sentences.join('\n')}\n`)
  else if (settings.rounds < LEAST_ROUNDS)
    parts.push(`Comparisons need at least ${LEAST_ROUNDS} rounds; this run has ${settings.rounds}.\n`)
  const thresholds = thresholdsOf(outcome).map(
    ({ holds, text }) => `${holds === null ? '?' : holds ? '✓' : '✗'} ${text}`,
  )
  parts.push(`${[...thresholds, '', ...sectionValidity(outcome).map(lineOf)].join('\n')}\n`)
  const wrong = failures.filter(({ kind }) => kind === 'wrong')
  if (wrong.length > 0) {
    const more = wrong.length > SHOWN ? [`and ${wrong.length - SHOWN} more: --verbose`] : []
    parts.push(`${[...wrong.slice(0, SHOWN).map(({ text }) => text), ...more].join('\n')}\n`)
  }
  const cold = settings.heat < 50_000 && isOwnServer(settings)
  if (cold)
    parts.push(
      `The servers were warmed up by ${settings.heat} requests or deliveries, too few for a steady state.\n`,
    )
  return parts.join('\n')
}

/** One row per transport of the headline section. */
function transportTable(outcome: Outcome): string[] {
  const rows = summariesOf(outcome)
    .filter(({ section, variant }) => section === 'headline' && ![AA_CONTROL, PUBLISH_ONLY].includes(variant))
    .map(({ variant, latency, requests, bytes, cpu }) => {
      const memory = outcome.memory.find(({ kind }) => variant.startsWith(kind))
      return [
        variant,
        within(latency?.p50 ?? null),
        within(latency?.p99 ?? null),
        show(requests?.value),
        show(bytes?.both?.value),
        within(cpu.total),
        within(memory?.rssPerSubscriber ?? null, 1000),
      ]
    })
  if (rows.length === 0) return []
  const head = [
    'Per delivered message',
    'p50 ms',
    'p99 ms',
    'requests',
    'bytes',
    'server CPU µs',
    'idle memory kB',
  ]
  return [table(head, rows)]
}

/** Formats an estimate with its interval. */
export function within(estimate: Estimate | null, unit = 1): string {
  if (estimate === null) return '–'
  const { value, low, high } = estimate
  const figure = show(value / unit)
  return low === null || high === null ? figure : `${figure} [${show(low / unit)}, ${show(high / unit)}]`
}

const VERBS: Record<Ranked['figure'], (ratio: string) => string> = {
  latency: (ratio) => `has ${ratio} times the mean latency`,
  cpu: (ratio) => `uses ${ratio} times the server CPU`,
  bytes: (ratio) => `uses ${ratio} times the bytes`,
}

/** Names of the compared metrics. */
export const METRICS: Record<Ranked['figure'], string> = {
  latency: 'mean latency',
  cpu: 'server CPU',
  bytes: 'bytes',
}

function sentenceOf({ figure, variant, against, comparison: { ratio, verdict } }: Ranked): string[] {
  if (variant === AA_CONTROL || variant === PUBLISH_ONLY || ratio.low === null) return []
  const range = `95 % CI: ${show(ratio.low)} to ${show(ratio.high)}`
  const metric = METRICS[figure]
  if (verdict === 'tie') return [`${variant} and ${against} are equivalent in ${metric} (${range})`]
  if (verdict === 'not distinguished')
    return [`${variant} and ${against} show no significant difference in ${metric} (${range})`]
  return [`${variant} ${VERBS[figure](show(ratio.value))} of ${against} (${range})`]
}

/** Formats the validity of a section. */
function lineOf({ title, state, rounds, quiet, model, reasons }: SectionValidity): string {
  const { holds, fails, unjudged } = model
  const lines = holds + fails + unjudged
  const of =
    lines === 0
      ? ''
      : `; model: ${holds} of ${lines} agree${unjudged > 0 ? `, ${unjudged} inconclusive` : ''}`
  const sign = { holds: '✓', wrong: '✗', void: '?' }[state]
  const why =
    state === 'void' ? `INCONCLUSIVE: ${reasons.join('; ')}` : `${quiet} of ${rounds} rounds undisturbed${of}`
  return `${sign} ${title}: ${why}`
}

function verdictText(outcome: Outcome): string {
  const validity = sectionValidity(outcome)
  if (!passed(outcome)) {
    return validity.some(({ state }) => state === 'wrong')
      ? 'FAILED: do not cite these figures.\n'
      : 'FAILED: the machine was too disturbed; do not cite these figures.\n'
  }
  const other = validity.filter(({ state }) => state === 'void').map(({ title }) => title)
  return other.length === 0
    ? 'PASSED: every section is valid.\n'
    : `PASSED. Do not cite the inconclusive sections: ${other.join('; ')}.\n`
}
