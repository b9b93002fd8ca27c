import { median, sorted } from './median.ts'
import type { Result } from './server-with-load.ts'

/** Results of the plugin and of the reference, paired by round. */
export interface PairedResults<T> {
  ours: T[]
  reference: T[]
}

/** The rows of each part. */
export interface Tables {
  fanout: { transport: string; readers: number; outstanding: number[]; cell: PairedResults<Result[]> }[]
  open: { transport: string; readers: number; rate: number; cell: PairedResults<Result[]> }[]
  ladder: { kind: string; readers: number; results: Result[] }[]
  path: { transport: string; readers: number; fast: Result[]; plain: Result[] }[]
  poll: { fill: number; cell: PairedResults<Result[]> }[]
  memory: { transport: string; cell: PairedResults<number> }[]
  curves: { curve: string; transport: string; at: number; result: Result }[]
}

export const SECTIONS = ['fanout', 'open', 'ladder', 'path', 'poll', 'memory', 'curves'] as const

/** Conditions of a part's measurement. */
export interface Conditions {
  readonly node: string
  readonly machine: string
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: number
  /** Milliseconds per load and round. */
  readonly duration: number
  /** Whether latencies in open loops start at the planned time. Older figures start at the trigger. */
  readonly planned?: boolean
}

/** The measured parts. */
export type Figures = { [N in keyof Tables]?: { readonly conditions: Conditions; readonly rows: Tables[N] } }

/** Target ratios by transport and outstanding publishes. */
const TARGETS: Record<string, Record<number, (ratio: number) => boolean>> = {
  ws: { 1: (cpu) => cpu <= 0.85, 8: (cpu) => 1 / cpu >= 4, 32: (cpu) => 1 / cpu >= 10 },
  sse: { 1: (cpu) => cpu <= 0.85, 8: (cpu) => 1 / cpu >= 4, 32: (cpu) => 1 / cpu >= 10 },
  longpoll: { 1: (cpu) => cpu <= 1.1, 8: (cpu) => 1 / cpu >= 1, 32: (cpu) => 1 / cpu >= 1 },
}

const TARGET_TEXT: Record<string, Record<number, string>> = {
  ws: { 1: '<= 0.85', 8: '<= 1/4', 32: '<= 1/10' },
  sse: { 1: '<= 0.85', 8: '<= 1/4', 32: '<= 1/10' },
  longpoll: { 1: '<= 1.1', 8: '<= 1', 32: '<= 1' },
}

/** Formats the median with minimum and maximum. */
function spread(values: readonly number[], digits: number): string {
  const order = sorted(values)
  return `${median(values).toFixed(digits)} (${order[0]!.toFixed(digits)}-${order.at(-1)!.toFixed(digits)})`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function column<T>(
  cell: PairedResults<T>,
  figure: (one: T) => number,
): { ours: number[]; reference: number[]; ratio: number[] } {
  const ours = cell.ours.map(figure)
  const reference = cell.reference.map(figure)
  return { ours, reference, ratio: ours.map((value, round) => value / reference[round]!) }
}

/** Flags a p99 only if the rounds of the two sides do not overlap and the plugin is more than a tenth higher. */
function p99Verdict(p99: { ours: number[]; reference: number[] }): string {
  const apart = Math.min(...p99.ours) > Math.max(...p99.reference)
  return apart && median(p99.ours) / median(p99.reference) > 1.1 ? 'higher' : 'ok'
}

function side(cell: PairedResults<Result>, figure: (one: Result) => number, digits: number): string[] {
  const { ours, reference, ratio } = column(cell, figure)
  return [spread(ours, digits), spread(reference, digits), spread(ratio, 2)]
}

const RESULT_HEAD = [
  'CPU µs/delivery: plugin',
  'reference',
  'ratio',
  'deliveries/s: plugin',
  'reference',
  'p50 ms',
  'p99 ms',
  'p99 verdict',
  'CPU utilization: server, load',
]

function resultRow(cell: PairedResults<Result>): string[] {
  const rate = column(cell, (one) => one.deliveriesPerSecond)
  const p50 = column(cell, (one) => one.p50 / 1000)
  const p99 = column(cell, (one) => one.p99 / 1000)
  const busy = (one: keyof Result) =>
    `${median(cell.ours.map((r) => r[one])).toFixed(2)}/${median(cell.reference.map((r) => r[one])).toFixed(2)}`
  return [
    ...side(cell, (one) => one.cpuPerDelivery, 2),
    Math.round(median(rate.ours)).toLocaleString('en'),
    Math.round(median(rate.reference)).toLocaleString('en'),
    `${median(p50.ours).toFixed(2)}/${median(p50.reference).toFixed(2)}`,
    `${median(p99.ours).toFixed(2)}/${median(p99.reference).toFixed(2)}`,
    p99Verdict(p99),
    `${busy('serverBusy')}, ${busy('loadBusy')}`,
  ]
}

function fanoutTable(rows: Tables['fanout']): string {
  const lines = rows.flatMap(({ transport, readers, outstanding, cell }) =>
    outstanding.map((count, i) => {
      const one = {
        ours: cell.ours.map((round) => round[i]!),
        reference: cell.reference.map((round) => round[i]!),
      }
      const ratio = median(column(one, (result) => result.cpuPerDelivery).ratio)
      const reached = TARGETS[transport]![count]!(ratio) ? 'yes' : 'NO'
      return [
        transport,
        String(readers),
        String(count),
        ...resultRow(one),
        `${TARGET_TEXT[transport]![count]}: ${reached}`,
      ]
    }),
  )
  return table(['transport', 'subscribers', 'outstanding', ...RESULT_HEAD, 'target'], lines)
}

function openTable(rows: Tables['open']): string {
  const lines = rows.map(({ transport, readers, rate, cell }) => {
    const one = {
      ours: cell.ours.map((round) => round[0]!),
      reference: cell.reference.map((round) => round[0]!),
    }
    return [transport, String(readers), String(rate), ...resultRow(one)]
  })
  return table(['transport', 'subscribers', 'messages/s', ...RESULT_HEAD], lines)
}

const IMPLEMENTATIONS: Record<string, string> = {
  nchan: 'nginx with nchan',
  raw: 'bare sockets with a request parser',
  http: 'minimal node:http',
  fastify: 'Fastify with held replies and the same headers',
  reference: 'node:http that can resume (the reference above)',
  ours: 'plugin',
  stats: 'plugin with `stats`',
  start: '`npm start`',
}

/** Compares each implementation with Fastify, round by round: the plugin's target is relative to Fastify. */
function ladderTable(rows: Tables['ladder']): string {
  const beside = rows.find(({ kind }) => kind === 'fastify')!.results
  const lines = rows.map(({ kind, readers, results }) => {
    const costs = results.map((one) => one.cpuPerDelivery)
    const ratio = costs.map((cost, round) => cost / beside[round]!.cpuPerDelivery)
    const aim = kind === 'ours' ? `<= 1.1: ${median(ratio) <= 1.1 ? 'yes' : 'NO'}` : ''
    return [
      IMPLEMENTATIONS[kind]!,
      String(readers),
      spread(costs, 2),
      spread(ratio, 2),
      median(results.map((one) => one.p50 / 1000)).toFixed(2),
      median(results.map((one) => one.p99 / 1000)).toFixed(2),
      `${median(results.map((one) => one.serverBusy)).toFixed(2)}, ${median(results.map((one) => one.loadBusy)).toFixed(2)}`,
      aim,
    ]
  })
  const head = [
    'server',
    'subscribers',
    'CPU µs/delivery',
    'relative to Fastify',
    'p50 ms',
    'p99 ms',
    'CPU utilization: server, load',
    'target',
  ]
  return table(head, lines)
}

/** Compares the same server with and without its fast path, round by round. */
function pathTable(rows: Tables['path']): string {
  const lines = rows.map(({ transport, readers, fast, plain }) => {
    const costs = [fast, plain].map((of) => of.map((one) => one.cpuPerDelivery))
    const ratio = costs[0]!.map((cost, round) => cost / costs[1]![round]!)
    return [transport, String(readers), spread(costs[0]!, 2), spread(costs[1]!, 2), spread(ratio, 2)]
  })
  const head = ['transport', 'subscribers', 'CPU µs/delivery', 'with fastPath: false', 'ratio']
  return table(head, lines)
}

const POLL_TARGETS: Record<number, number> = { 0: 1, 1: 1, 100: 0.5 }

function pollTable(rows: Tables['poll']): string {
  const lines = rows.map(({ fill, cell }) => {
    const one = {
      ours: cell.ours.map((round) => round[0]!),
      reference: cell.reference.map((round) => round[0]!),
    }
    const ratio = median(column(one, (result) => result.cpuPerDelivery).ratio)
    return [
      String(fill),
      ...resultRow(one),
      `<= ${POLL_TARGETS[fill]}: ${ratio <= POLL_TARGETS[fill]! ? 'yes' : 'NO'}`,
    ]
  })
  const head = RESULT_HEAD.map((name) =>
    name.replace('delivery', 'request').replace('deliveries', 'requests'),
  )
  return table(['new messages', ...head, 'target'], lines)
}

function memoryTable(rows: Tables['memory']): string {
  const lines = rows.map(({ transport, cell }) => {
    const { ours, reference, ratio } = column(cell, (bytes) => bytes)
    const aim = `<= 1.15: ${median(ratio) <= 1.15 ? 'yes' : 'NO'}`
    return [transport, spread(ours, 0), spread(reference, 0), spread(ratio, 2), aim]
  })
  return table(['transport', 'plugin', 'reference', 'ratio', 'target'], lines)
}

function curveTable(rows: Tables['curves']): string {
  const lines = rows.map(({ curve, transport, at, result }) => [
    curve,
    transport,
    at.toLocaleString('en'),
    result.cpuPerDelivery.toFixed(3),
    Math.round(result.deliveriesPerSecond).toLocaleString('en'),
    (result.p99 / 1000).toFixed(2),
    `${result.serverBusy.toFixed(2)}, ${result.loadBusy.toFixed(2)}`,
  ])
  const head = [
    'parameter',
    'transport',
    'value',
    'CPU µs/delivery',
    'deliveries/s',
    'p99 ms',
    'CPU utilization: server, load',
  ]
  return table(head, lines)
}

const PARTS: { [N in keyof Tables]: { title: string; table: (rows: Tables[N]) => string } } = {
  fanout: { title: 'Closed loop', table: fanoutTable },
  open: { title: 'Open loop', table: openTable },
  ladder: {
    title: 'Long polling, one message at a time, compared with other implementations',
    table: ladderTable,
  },
  path: { title: 'The fast path, one message at a time', table: pathTable },
  poll: { title: 'Polling, compared with a Fastify route that returns an object', table: pollTable },
  memory: { title: 'Memory of an idle subscriber: bytes of heap and external memory', table: memoryTable },
  curves: { title: 'The plugin by number of subscribers, channels, and payload size', table: curveTable },
}

/** Formats one part. Empty if it has not been measured. */
export function sectionText<N extends keyof Tables>(figures: Figures, name: N): string {
  const part = figures[name]
  if (part === undefined) return ''
  const { node, machine, versions, rounds, duration, planned } = part.conditions
  const packages = Object.entries(versions).map(([key, version]) => `${key} ${version}`)
  const how = `${rounds} round${rounds === 1 ? '' : 's'}, ${duration} ms per load; node ${node}, ${packages.join(', ')}, ${machine}`
  const old =
    name === 'open' && !planned
      ? 'Latencies in this table start when the load triggers a publish, not at the planned time. They are too short where the load was late.\n\n'
      : ''
  return `## ${PARTS[name].title}\n\n\`--only ${name}\`: ${how}\n\n${old}${PARTS[name].table(part.rows as Tables[N])}\n`
}

const HEAD = `# Fan-out

Generated by \`npm run bench:fanout -- --publish\`. Figures are medians over the rounds, with minimum and maximum in brackets. Where a cell has two figures, the plugin's comes first. CPU utilization is CPU time divided by elapsed time, from 0 to 1. The p99 verdict is "higher" if all rounds of the plugin have a higher p99 than those of the reference, and its median is more than a tenth higher. In each round, both servers run at the same time and take slices in alternation. A load has twenty, five or one slices: the more work per event loop turn, the fewer slices. The median slice counts. The machine is shared, so wide brackets indicate noise. Both sides load the plugin's module, which works around a slow \`process.nextTick\` in Node 20 (routes/http/node-internals.ts).
`

/** Formats all measured parts. */
export function resultsText(figures: Figures): string {
  return [HEAD, ...SECTIONS.map((name) => sectionText(figures, name))]
    .filter((text) => text !== '')
    .join('\n')
}
