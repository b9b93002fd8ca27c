import { median, sorted } from './median.ts'
import type { Result } from './pair.ts'

/** Both sides' figures, round by round. */
export interface Cell<T> {
  ours: T[]
  reference: T[]
}

/** The rows of each part. */
export interface Tables {
  fanout: { transport: string; readers: number; outstanding: number[]; cell: Cell<Result[]> }[]
  open: { transport: string; readers: number; rate: number; cell: Cell<Result[]> }[]
  ladder: { kind: string; readers: number; results: Result[] }[]
  path: { transport: string; readers: number; fast: Result[]; plain: Result[] }[]
  poll: { fill: number; cell: Cell<Result[]> }[]
  memory: { transport: string; cell: Cell<number> }[]
  curves: { curve: string; transport: string; at: number; result: Result }[]
}

export const SECTIONS = ['fanout', 'open', 'ladder', 'path', 'poll', 'memory', 'curves'] as const

/** Where and how a part was measured. */
export interface Conditions {
  readonly node: string
  readonly machine: string
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: number
  /** Milliseconds of each load and round. */
  readonly duration: number
  /** Whether an open loop's delays run from the planned times. Figures without it run from the moment of asking. */
  readonly planned?: boolean
}

/** What has been measured. */
export type Figures = { [N in keyof Tables]?: { readonly conditions: Conditions; readonly rows: Tables[N] } }

/** Ratios that the plugin is to reach, by transport and publishes outstanding. */
const AIMS: Record<string, Record<number, (ratio: number) => boolean>> = {
  ws: { 1: (cpu) => cpu <= 0.85, 8: (cpu) => 1 / cpu >= 4, 32: (cpu) => 1 / cpu >= 10 },
  sse: { 1: (cpu) => cpu <= 0.85, 8: (cpu) => 1 / cpu >= 4, 32: (cpu) => 1 / cpu >= 10 },
  longpoll: { 1: (cpu) => cpu <= 1.1, 8: (cpu) => 1 / cpu >= 1, 32: (cpu) => 1 / cpu >= 1 },
}

const AIM_TEXT: Record<string, Record<number, string>> = {
  ws: { 1: '<= 0.85', 8: '<= 1/4', 32: '<= 1/10' },
  sse: { 1: '<= 0.85', 8: '<= 1/4', 32: '<= 1/10' },
  longpoll: { 1: '<= 1.1', 8: '<= 1', 32: '<= 1' },
}

/** The median, and from the least to the most. */
function spread(values: readonly number[], digits: number): string {
  const order = sorted(values)
  return `${median(values).toFixed(digits)} (${order[0]!.toFixed(digits)}-${order.at(-1)!.toFixed(digits)})`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function column<T>(
  cell: Cell<T>,
  figure: (one: T) => number,
): { ours: number[]; reference: number[]; ratio: number[] } {
  const ours = cell.ours.map(figure)
  const reference = cell.reference.map(figure)
  return { ours, reference, ratio: ours.map((value, round) => value / reference[round]!) }
}

/** A p99 fails only where the two sides' rounds lie apart, and ours is more than a tenth above. */
function late(p99: { ours: number[]; reference: number[] }): string {
  const apart = Math.min(...p99.ours) > Math.max(...p99.reference)
  return apart && median(p99.ours) / median(p99.reference) > 1.1 ? 'later' : 'ok'
}

function side(cell: Cell<Result>, figure: (one: Result) => number, digits: number): string[] {
  const { ours, reference, ratio } = column(cell, figure)
  return [spread(ours, digits), spread(reference, digits), spread(ratio, 2)]
}

const RESULT_HEAD = [
  'CPU µs/delivery: ours',
  'reference',
  'ratio',
  'deliveries/s: ours',
  'reference',
  'p50 ms',
  'p99 ms',
  'p99',
  'busy: server, load',
]

function resultRow(cell: Cell<Result>): string[] {
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
    late(p99),
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
      const reached = AIMS[transport]![count]!(ratio) ? 'yes' : 'NO'
      return [
        transport,
        String(readers),
        String(count),
        ...resultRow(one),
        `${AIM_TEXT[transport]![count]}: ${reached}`,
      ]
    }),
  )
  return table(['transport', 'subscribers', 'outstanding', ...RESULT_HEAD, 'aim'], lines)
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

const RUNGS: Record<string, string> = {
  nchan: 'nginx with nchan',
  raw: 'a parser on bare sockets',
  http: 'bare node:http, nothing but what is needed',
  fastify: 'Fastify that holds its replies, with the same headers',
  reference: 'bare node:http that can resume (the reference above)',
  ours: 'ours',
  stats: 'ours with `stats`',
  start: '`npm start`',
}

/** Each beside Fastify that holds its replies, round by round: that is what ours is aimed at. */
function ladderTable(rows: Tables['ladder']): string {
  const beside = rows.find(({ kind }) => kind === 'fastify')!.results
  const lines = rows.map(({ kind, readers, results }) => {
    const costs = results.map((one) => one.cpuPerDelivery)
    const ratio = costs.map((cost, round) => cost / beside[round]!.cpuPerDelivery)
    const aim = kind === 'ours' ? `<= 1.1: ${median(ratio) <= 1.1 ? 'yes' : 'NO'}` : ''
    return [
      RUNGS[kind]!,
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
    'beside Fastify',
    'p50 ms',
    'p99 ms',
    'busy: server, load',
    'aim',
  ]
  return table(head, lines)
}

/** The same server with and without its fast path, round by round. */
function pathTable(rows: Tables['path']): string {
  const lines = rows.map(({ transport, readers, fast, plain }) => {
    const costs = [fast, plain].map((of) => of.map((one) => one.cpuPerDelivery))
    const ratio = costs[0]!.map((cost, round) => cost / costs[1]![round]!)
    return [transport, String(readers), spread(costs[0]!, 2), spread(costs[1]!, 2), spread(ratio, 2)]
  })
  const head = ['transport', 'subscribers', 'CPU µs/delivery', 'with fastPath: false', 'ratio']
  return table(head, lines)
}

const POLL_AIMS: Record<number, number> = { 0: 1, 1: 1, 100: 0.5 }

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
      `<= ${POLL_AIMS[fill]}: ${ratio <= POLL_AIMS[fill]! ? 'yes' : 'NO'}`,
    ]
  })
  const head = RESULT_HEAD.map((name) =>
    name.replace('delivery', 'request').replace('deliveries', 'requests'),
  )
  return table(['new messages', ...head, 'aim'], lines)
}

function memoryTable(rows: Tables['memory']): string {
  const lines = rows.map(({ transport, cell }) => {
    const { ours, reference, ratio } = column(cell, (bytes) => bytes)
    const aim = `<= 1.15: ${median(ratio) <= 1.15 ? 'yes' : 'NO'}`
    return [transport, spread(ours, 0), spread(reference, 0), spread(ratio, 2), aim]
  })
  return table(['transport', 'ours', 'reference', 'ratio', 'aim'], lines)
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
  const head = ['over', 'transport', 'at', 'CPU µs/delivery', 'deliveries/s', 'p99 ms', 'busy: server, load']
  return table(head, lines)
}

const PARTS: { [N in keyof Tables]: { title: string; table: (rows: Tables[N]) => string } } = {
  fanout: { title: 'Closed loop', table: fanoutTable },
  open: { title: 'Open loop', table: openTable },
  ladder: { title: 'Long poll, one message after another: the ladder', table: ladderTable },
  path: { title: 'The fast path, one message after another', table: pathTable },
  poll: { title: 'Poll, beside a Fastify route that returns an object', table: pollTable },
  memory: { title: 'Memory of an idle subscriber, bytes of heap and external', table: memoryTable },
  curves: { title: 'Curves, ours alone', table: curveTable },
}

/** One part, as it is printed; nothing where it has not been measured. */
export function sectionText<N extends keyof Tables>(figures: Figures, name: N): string {
  const part = figures[name]
  if (part === undefined) return ''
  const { node, machine, versions, rounds, duration, planned } = part.conditions
  const packages = Object.entries(versions).map(([key, version]) => `${key} ${version}`)
  const how = `${rounds} round${rounds === 1 ? '' : 's'}, ${duration} ms of each load; node ${node}, ${packages.join(', ')}, ${machine}`
  const old =
    name === 'open' && !planned
      ? 'Delays in this table run from the moment at which the load asked, not from the planned time: a load that was late made them too short.\n\n'
      : ''
  return `## ${PARTS[name].title}\n\n\`--only ${name}\`: ${how}\n\n${old}${PARTS[name].table(part.rows as Tables[N])}\n`
}

const HEAD = `# Fan-out

Written by \`npm run bench:fanout -- --publish\`. Medians over the rounds, in brackets the least and the most; where two figures stand together, ours is the first. In a round both sides are up and take turns, at twenty, five or one windows each, the fewer the longer a turn of the load is, of which the median counts. The machine is shared: where the brackets are wide, so was the noise. Both sides ran with the plugin's module loaded, which spares both a slowness of \`process.nextTick\` in Node 20 (routes/http/node-internals.ts).
`

/** All that has been measured. */
export function resultsText(figures: Figures): string {
  return [HEAD, ...SECTIONS.map((name) => sectionText(figures, name))]
    .filter((text) => text !== '')
    .join('\n')
}
