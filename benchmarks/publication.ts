import { coefficientsOf, PRICES } from './advice.ts'
import { chartWorkloadOf, cheapestChart } from './cheapest-chart.ts'
import type { Results } from './json.ts'
import { type Estimate, verdictText } from './statistics.ts'
import type { Summary } from './summary.ts'
import { show } from './table.ts'

/** Renders the published results. All figures come from the results file. */

/** A results file: the output of `bench --json` plus the flags of the run. */
export type PublishedResults = Results & { readonly args: readonly string[] }

const FOR: Record<string, string> = {
  'poll 100 ms': 'nothing: a push is faster and cheaper',
  'poll 1 s': 'delays up to a second, and messages that are more frequent than polls',
  'poll 5 s': 'many messages per response, without urgency; the simplest setup',
  longpoll: 'networks that only allow plain requests',
  sse: 'one-way messages to browsers, which reconnect and resume on their own',
  ws: 'two-way messages, and the fewest bytes per push',
}

/** The table of the headline section. */
export function resultsTable({ summaries, memory, settings }: PublishedResults): string {
  const rows = summaries
    .filter(({ section, variant }) => section === 'headline' && settings.variants.includes(variant))
    .map(({ variant, latency, requests, bytes, cpu }) => {
      const held = memory.find(({ kind }) => variant.startsWith(kind))
      return [
        variant,
        `${show(latency?.p50.value)} (${show(latency?.p99?.value)})`,
        requests !== null && requests.value < 0.001 ? '< 0.001' : show(requests?.value),
        show(bytes?.both?.value),
        show(wireBytes(bytes)),
        show(cpu.total?.value),
        idleText(cpu.idle),
        show(held && held.rssPerSubscriber.value / 1000),
        FOR[variant] ?? '',
      ]
    })
  return markdown(
    [
      'transport',
      'latency, ms: median (p99)',
      'requests',
      'bytes on the socket',
      'with TCP/IP',
      'server CPU, µs',
      'idle: CPU, µs/s',
      'idle: memory, kB',
      'use for',
    ],
    rows,
  )
}

/** A figure that may be zero is shown as its upper bound. */
function idleText(idle: Estimate | null): string {
  return idle?.low != null && idle.low <= 0 ? `< ${show(idle.high)}` : show(idle?.value)
}

function wireBytes(bytes: Summary['bytes']): number | null {
  if (bytes?.both == null || bytes.tcpModelled === null) return null
  return bytes.both.value + bytes.tcpModelled.value
}

/** The chart of the cheapest transport. */
export function cheapestPicture(results: PublishedResults): string {
  return cheapestChart(results.settings, coefficientsOf(results))
}

/** The README's text between the markers. */
export function readmeText(results: PublishedResults): string {
  const { settings, summaries, machine } = results
  const { subscribers, rate, payload, rounds, profile } = settings
  const chart = chartWorkloadOf(settings)
  const ws = summaries.find(({ section, variant }) => section === 'headline' && variant === 'ws')?.bytes
  const around = (ws?.overhead?.value ?? 0) - (ws?.up?.value ?? 0)
  return `${validityNotice(results)}The workload is a message of ${payload} bytes to each of ${subscribers} subscribers, ${rate} times per second, over loopback. Requests, bytes and CPU are per delivered message (headers: ${profile}). Figures are medians of ${rounds} rounds on ${machine.cores} cores of ${machine.cpu}, Node ${machine.node}. See [all figures with their confidence intervals](benchmarks/results/RESULTS.md), [JSON](benchmarks/results/results.json) and [plots](benchmarks/results/results.html). \`npm run bench:publish\` generates them.

${resultsTable(results)}
A frame header of two bytes is a small part of a message on the network. A WebSocket message has ${show(ws?.payload?.value)} bytes of payload, ${show(ws?.envelope?.value)} of envelope, and about ${show(around)} of frame header and pings. TCP/IP headers add ${show(ws?.tcpCounted?.value)} bytes, according to the segments counted by the kernel, or ${show(ws?.tcpModelled?.value)} in the model at an MSS of 1448 (52 bytes for the segment and for its acknowledgement). TLS would add 22.

![The cheapest transport by message rate and maximum p99 latency](benchmarks/results/cheapest.svg)

${streams(results)}The chart shows the lowest monthly price with the headers of a browser and a round trip of ${chart.rtt} ms: ${PRICES.gigabyte} US dollars per GB of egress, from the model, plus ${PRICES.core} per core, from the measured CPU of a warmed-up server. ${profile === 'browser' ? 'The table above has the same headers' : `The table above has the headers of the profile ${profile}`}. \`npx fastify-tidings-bench advise\` ranks the transports for other workloads.
`
}

/** Compares the two streaming transports, since the chart shows only the cheaper one. */
function streams({ ranking }: PublishedResults): string {
  const of = (figure: string) =>
    ranking.find((one) => one.variant === 'sse' && one.figure === figure)?.comparison
  const [bytes, cpu] = [of('bytes'), of('cpu')]
  if (bytes === undefined || cpu === undefined) return ''
  const interval = `${show(cpu.ratio.low)} to ${show(cpu.ratio.high)}`
  return `Server-Sent Events use ${show(bytes.ratio.value)} times the bytes of WebSocket on the socket, and ${show(cpu.ratio.value)} times its CPU (95 % CI: ${interval}; ${verdictText(cpu.verdict)}). The chart shows only the cheaper one, even if the difference is small.\n\n`
}

function validityNotice({ passed, judgements }: PublishedResults): string {
  const said = 'see [the results](benchmarks/results/RESULTS.md)'
  if (!passed) return `**This run is not valid (${said}). Do not cite its figures.**\n\n`
  const others = judgements.filter(({ state }) => state !== 'holds').map(({ title }) => title)
  return others.length === 0
    ? ''
    : `The figures of this table are valid. **Do not cite the inconclusive sections (${said}): ${others.join('; ')}.**\n\n`
}

/** The notice on pages with results of an earlier format. Those pages contain this exact text. */
export const EARLIER_NOTICE =
  'These figures were made by an earlier method, which measured servers before their code was compiled: CPU and the delay of long polling are too high, and the ranking by CPU is not to be cited until they are made anew.'

const BEGIN = '<!-- results: by npm run bench:publish -->'
const END = '<!-- end of results -->'

/** @throws if the README has no markers */
export function withResults(readme: string, results: PublishedResults): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)]
  if (begin === -1 || end < begin) throw new Error(`The README has no ${BEGIN} … ${END}`)
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${readmeText(results)}\n${readme.slice(end)}`
}

/** @param text the tables of the run */
export function resultsText(results: PublishedResults, text: string): string {
  const { args, machine, versions, settings, date, passed, repeated } = results
  const command = ['npm run bench:publish', ...(args.length > 0 ? ['--', ...args] : [])].join(' ')
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `# Results

${markdown(
  ['', ''],
  [
    ['command', `\`${command}\``],
    ['date', date],
    ['machine', `${machine.cores} cores of ${machine.cpu}, ${show(machine.memoryBytes / 1e9)} GB`],
    ['system', `${machine.platform}, ${machine.kernel}`],
    ['versions', `Node ${machine.node}, ${packages.join(', ')}`],
    ['seed', String(settings.seed)],
    ['valid', passed ? 'yes' : 'NO: see the failures below'],
    ['repeated rounds', String(repeated)],
  ],
)}
Brackets contain the 95 % confidence interval. See [the method](../README.md), [JSON](results.json) and [plots](results.html).

\`\`\`text
${text.trimEnd()}
\`\`\`
`
}

/** Renders a Markdown table. Columns of figures are right-aligned. */
function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const figures = (column: number) => rows.every((row) => /^[0-9–<]/.test(row[column]!))
  const rule = head.map((_, column) => (figures(column) ? '---:' : '---'))
  return [line(head), line(rule), ...rows.map(line), ''].join('\n')
}
