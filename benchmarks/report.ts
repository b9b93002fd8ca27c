import { METRICS, overviewText, within } from './overview.ts'
import type { Outcome } from './run.ts'
import { coldStartOf } from './server-warmup.ts'
import { verdictText } from './statistics.ts'
import { rankingOf, type Summary, summariesOf } from './summary.ts'
import { counted, show, table } from './table.ts'

/** Renders the outcome as text tables, with the verdict first. */
export function report(outcome: Outcome): string {
  return [overviewText(outcome), ...details(outcome)].join('\n')
}

/** All figures. */
function details(outcome: Outcome): string[] {
  const { sections, failures, residuals, repeated } = outcome
  const summaries = summariesOf(outcome)
  const parts: string[] = []
  if (sections.some(({ blocks }) => blocks[0]![0]!.workload.rtt > 0)) {
    parts.push('The delay proxy models no loss, no bandwidth and no slow start.\n')
  }
  for (const { name, title } of sections) {
    const own = summaries.filter(({ section }) => section === name)
    if (own.length > 0) parts.push(`${title}\n`, ...sectionTables(own))
  }
  parts.push(...rankingTable(outcome))
  if (residuals.length > 0) parts.push(...residualTable(outcome))
  parts.push(...coldStartTable(outcome), ...capacityTables(outcome))
  if (repeated > 0)
    parts.push(
      `${counted(repeated, 'round was', 'rounds were')} repeated because the machine was disturbed.\n`,
    )
  for (const { kind, text } of failures) parts.push(`${kind === 'wrong' ? 'FAILED' : 'DISTURBED'}: ${text}\n`)
  return parts
}

/** Units at which the table shows the cost. */
const SHOWN = [200, 1000, 5000, 10_000, 20_000, 30_000, 40_000]

/** The cost of a cold start: CPU per unit until the server is warmed up. */
function coldStartTable({ heatings }: Outcome): string[] {
  const rows = heatings.flatMap((warmup) => {
    const start = coldStartOf(warmup)
    if (start === null) return []
    const at = (units: number) => show(warmup.points.find((point) => point.units >= units)?.cpu)
    const { settled, points, server } = warmup
    return [
      [
        `${start.variant}, server ${server + 1}`,
        start.unit,
        ...SHOWN.map(at),
        show(start.warm),
        points.at(-1)!.units.toLocaleString('en-US'),
        show(start.extra),
        settled === null ? '–' : settled ? 'yes' : 'NO',
      ],
    ]
  })
  if (rows.length === 0) return []
  const head = SHOWN.map((units) => `after ${units.toLocaleString('en-US')}`)
  return [
    'Cold start: server CPU µs per unit of work in a closed loop, until the server is warmed up\n',
    table(['Cold start', 'unit', ...head, 'warmed up', 'units', 'extra CPU ms', 'steady state'], rows),
  ]
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
          'publish request p50',
          'p50 from acceptance',
          'publishes',
        ],
        read.map(({ variant, latency, publish, accepted, atFloor, publishes }) => [
          variant,
          within(latency!.mean),
          atFloor ? `at most ${show(latency!.p50.value)}` : within(latency!.p50),
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
          'Per delivered message',
          'requests',
          'empty responses %',
          'bytes sent',
          'bytes received',
          'payload',
          'envelope',
          'overhead',
          'TCP/IP counted',
          'TCP/IP modelled',
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
        'CPU µs/delivery',
        'idle CPU µs/s',
        'incremental CPU µs/delivery',
        'CPU ms/s',
        'event loop utilization %',
        'client event loop utilization %',
        'client run queue %',
      ],
      summaries.map(({ variant, cpu, serverUtilisation, loadUtilisation, loadWaited }) => [
        variant,
        within(cpu.total),
        within(cpu.idle),
        show(cpu.marginal),
        show(cpu.perSecond && cpu.perSecond.value / 1000),
        show(serverUtilisation === null ? null : serverUtilisation * 100),
        show(loadUtilisation * 100),
        show(loadWaited * 100),
      ]),
    ),
  )
  return tables
}

function rankingTable(outcome: Outcome): string[] {
  const ranking = rankingOf(outcome)
  if (ranking.length === 0) return []
  return [
    'Relative to ws: the median ratio of paired rounds. "ws, repeated" is an A/A test and shows the noise\n',
    table(
      ['Metric', 'transport', 'ratio', '95 % CI', 'verdict'],
      ranking.map(({ figure, variant, comparison: { ratio, verdict } }) => [
        METRICS[figure],
        variant,
        show(ratio.value),
        `${show(ratio.low)} to ${show(ratio.high)}`,
        verdictText(verdict),
      ]),
    ),
  ]
}

function residualTable({ residuals }: Outcome): string[] {
  return [
    'Residuals of the model. Its inputs are the rate, the round trips and the clocks of this run\n',
    table(
      ['Section', 'transport', 'metric', 'measured', 'predicted', 'tolerance', 'agrees'],
      residuals.map(({ section, variant, figure, measured, model, bound, holds }) => [
        section,
        variant,
        figure === 'delay' ? 'latency from acceptance, ms' : `${figure}/message`,
        show(measured),
        show(model),
        show(bound),
        holds === null ? 'inconclusive' : holds ? 'yes' : 'NO',
      ]),
    ),
  ]
}

function capacityTables({ memory, ceiling, hot }: Outcome): string[] {
  const tables: string[] = []
  if (hot.length > 0) {
    const counts = [...new Set(hot.map(({ subscribers }) => subscribers))]
    tables.push(
      table(
        [
          'CPU µs/delivery, warmed-up server',
          ...counts.map((count) => `${count.toLocaleString('en-US')} subscribers`),
        ],
        [...new Set(hot.map(({ kind }) => kind))].map((kind) => [
          kind,
          ...counts.map((count) =>
            within(hot.find((one) => one.kind === kind && one.subscribers === count)?.cpu ?? null),
          ),
        ]),
      ),
    )
  }
  if (memory.length > 0) {
    tables.push(
      table(
        ['Idle subscriber', 'server RSS, kB', 'kernel memory, both ends, kB'],
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
        ['/poll at saturation', 'CPU µs', 'requests/s', 'p50 ms', 'p99 ms', 'MB/s', 'errors'],
        ceiling.map(({ answer, cpuPerRequest, requestsPerSecond, p50, p99, bytesPerSecond, errors }) => [
          answer,
          show(cpuPerRequest),
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
