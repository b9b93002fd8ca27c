import type { Outcome } from './run.ts'
import { passed } from './run.ts'
import type { Estimate } from './statistics.ts'
import { rankingOf, type Summary, summariesOf } from './summary.ts'
import { show, table } from './table.ts'

/** The outcome as tables, for people. */
export function report(outcome: Outcome): string {
  const { sections, settings, failures, residuals, partial, repeated } = outcome
  const summaries = summariesOf(outcome)
  const parts: string[] = []
  if (partial)
    parts.push('PARTIAL: interrupted. What follows is of the blocks that were complete, and no full run.\n')
  const { subscribers, channels, rate, payload, profile, rtt } = settings.workload
  parts.push(
    `${subscribers} subscribers, ${channels === 'shared' ? 'one channel' : 'a channel each'}, ${rate} messages/s a channel, ` +
      `${payload} bytes, headers: ${profile}, ${rtt > 0 ? `round trip + ${rtt} ms, ` : ''}seed ${settings.seed}\n`,
  )
  if (sections.some(({ blocks }) => blocks[0]![0]!.workload.rtt > 0)) {
    parts.push('The delay proxy models no loss, no bandwidth and no slow start.\n')
  }
  for (const { name, title } of sections) {
    const own = summaries.filter(({ section }) => section === name)
    if (own.length > 0) parts.push(`${title}\n`, ...sectionTables(own))
  }
  parts.push(...rankingTable(outcome))
  if (residuals.length > 0) parts.push(...residualTable(outcome))
  parts.push(...extraTables(outcome))
  if (repeated > 0) parts.push(`${repeated} blocks were run again, since the machine was disturbed.\n`)
  for (const { kind, text } of failures) parts.push(`${kind === 'wrong' ? 'FAILED' : 'DISTURBED'}: ${text}\n`)
  parts.push(
    passed(outcome)
      ? 'All counted gates and residuals hold.\n'
      : 'FAILED: these figures are not to be cited.\n',
  )
  return parts.join('\n')
}

function sectionTables(summaries: readonly Summary[]): string[] {
  const read = summaries.filter(({ latency }) => latency !== null)
  const tables: string[] = []
  if (read.length > 0) {
    tables.push(
      table(
        [
          'Latency, ms',
          'mean',
          'p50',
          'p90',
          'p99',
          'p99.9',
          'max',
          'publish p50',
          'accepted p50',
          'publishes',
        ],
        read.map(({ variant, latency, publish, accepted, atFloor, publishes }) => [
          variant,
          within(latency!.mean),
          atFloor ? `${show(latency!.p50.value)} at the floor` : within(latency!.p50),
          within(latency!.p90),
          within(latency!.p99),
          within(latency!.p999),
          show(latency!.max),
          show(publish?.p50.value),
          show(accepted?.p50.value),
          String(publishes),
        ]),
      ),
      table(
        [
          'A delivered message',
          'requests',
          'empty %',
          'bytes up',
          'down',
          'payload',
          'envelope',
          'overhead',
          'TCP/IP',
          'at MSS 1448',
        ],
        read.map(({ variant, requests, emptyShare, bytes }) => [
          variant,
          show(requests?.value),
          show(emptyShare === null ? null : emptyShare.value * 100),
          ...(['up', 'down', 'payload', 'envelope', 'overhead', 'tcpCounted', 'tcpModelled'] as const).map(
            (key) => show(bytes?.[key]?.value),
          ),
        ]),
      ),
    )
  }
  tables.push(
    table(
      [
        'Server',
        'CPU µs a delivery',
        'idle µs a subscriber, s',
        'marginal µs',
        'CPU ms/s',
        'loop %',
        'delay p99 ms',
        'load loop %',
        'waits %',
      ],
      summaries.map(({ variant, cpu, serverUtilisation, serverDelayP99, loadUtilisation, loadWaited }) => [
        variant,
        within(cpu.total),
        within(cpu.idle),
        show(cpu.marginal),
        show(cpu.perSecond && cpu.perSecond.value / 1000),
        show(serverUtilisation === null ? null : serverUtilisation * 100),
        show(serverDelayP99),
        show(loadUtilisation * 100),
        show(loadWaited * 100),
      ]),
    ),
  )
  return tables
}

/** A figure with its interval, in a unit. */
function within(estimate: Estimate | null, unit = 1): string {
  if (estimate === null) return '–'
  const { value, low, high } = estimate
  const figure = show(value / unit)
  return low === null || high === null ? figure : `${figure} [${show(low / unit)}, ${show(high / unit)}]`
}

function rankingTable(outcome: Outcome): string[] {
  const ranking = rankingOf(outcome)
  if (ranking.length === 0) return []
  return [
    'Against ws, block by block; "ws again" is the noise floor\n',
    table(
      ['Figure', 'variant', 'ratio', '95 % interval', 'verdict'],
      ranking.map(({ figure, variant, comparison: { ratio, verdict } }) => [
        figure,
        variant,
        show(ratio.value),
        `${show(ratio.low)} to ${show(ratio.high)}`,
        verdict,
      ]),
    ),
  ]
}

function residualTable({ residuals }: Outcome): string[] {
  return [
    'The model, from the run’s own rate, round trips and CPU\n',
    table(
      ['Section', 'variant', 'figure', 'measured', 'model', 'bound', 'holds'],
      residuals.map(({ section, variant, figure, measured, model, bound, holds }) => [
        section,
        variant,
        figure === 'delay' ? 'delay, ms' : `${figure}/message`,
        show(measured),
        show(model),
        show(bound),
        holds === null ? 'too few quiet rounds' : holds ? 'yes' : 'FAILED',
      ]),
    ),
  ]
}

function extraTables({ memory, ceiling }: Outcome): string[] {
  const tables: string[] = []
  if (memory.length > 0) {
    tables.push(
      table(
        ['An idle subscriber', 'server RSS, kB', 'kernel, both ends, kB'],
        memory.map(({ kind, rssPerSubscriber, kernelPerSubscriber }) => [
          kind,
          within(rssPerSubscriber, 1000),
          within(kernelPerSubscriber, 1000),
        ]),
      ),
    )
  }
  if (ceiling.length > 0) {
    tables.push(
      table(
        ['/poll, as often as it can', 'requests/s', 'p50 ms', 'p99 ms', 'MB/s', 'errors'],
        ceiling.map(({ answer, requestsPerSecond, p50, p99, bytesPerSecond, errors }) => [
          answer,
          show(requestsPerSecond),
          show(p50),
          show(p99),
          show(bytesPerSecond / 1e6),
          String(errors),
        ]),
      ),
    )
  }
  return tables
}
