import { coefficientsOf, PRICES } from './advice.ts'
import type { Results } from './json.ts'
import { mapOf, mappedOf } from './map.ts'
import type { Estimate } from './statistics.ts'
import type { Summary } from './summary.ts'
import { show } from './table.ts'

/** What a run says in the repository: pure, and from its JSON alone, so that each figure can be found there. */

/** What is read of the file: that of `bench --json`, and the flags of the run. */
export type Published = Results & { readonly args: readonly string[] }

const FOR: Record<string, string> = {
  'poll 100 ms': 'nothing: a push is quicker, and costs less',
  'poll 1 s': 'where a second may pass, and messages come more often than polls',
  'poll 5 s': 'many messages an answer, and nobody waits for them; the least to set up',
  longpoll: 'where only plain requests come through',
  sse: 'messages one way, to a browser: it reconnects and goes on by itself',
  ws: 'messages both ways, and the fewest bytes of a push',
}

/** The one table: of the headline. */
export function answerTable({ summaries, memory, settings }: Published): string {
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
      'delay, ms: half within (99 %)',
      'requests',
      'bytes on the socket',
      'with TCP/IP',
      'server CPU, µs',
      'idle: CPU, µs/s',
      'idle: memory, kB',
      'for',
    ],
    rows,
  )
}

/** What can't be told from nothing is told by its bound. */
function idleText(idle: Estimate | null): string {
  return idle?.low != null && idle.low <= 0 ? `< ${show(idle.high)}` : show(idle?.value)
}

function wireBytes(bytes: Summary['bytes']): number | null {
  if (bytes?.both == null || bytes.tcpModelled === null) return null
  return bytes.both.value + bytes.tcpModelled.value
}

/** The picture, beside which this stands: what it is of. */
export function picture(results: Published): string {
  return mapOf(results.settings, coefficientsOf(results))
}

/** What stands in the README, between its markers. */
export function readmeText(results: Published): string {
  const { settings, summaries, machine } = results
  const { subscribers, rate, payload, rounds, profile } = settings
  const mapped = mappedOf(settings)
  const ws = summaries.find(({ section, variant }) => section === 'headline' && variant === 'ws')?.bytes
  const around = (ws?.overhead?.value ?? 0) - (ws?.up?.value ?? 0)
  return `${standing(results)}A message of ${payload} bytes to each of ${subscribers} subscribers, ${rate} times a second, over loopback; requests, bytes and CPU are those of a message that one subscriber gets (headers: ${profile}), medians of ${rounds} rounds on ${machine.cores} cores of ${machine.cpu}, Node ${machine.node}. [All figures with their intervals](benchmarks/results/RESULTS.md), [for programs](benchmarks/results/results.json), [plots](benchmarks/results/results.html); \`npm run bench:publish\` makes them.

${answerTable(results)}
Two bytes of frame are not two bytes on the wire. A message on a WebSocket has ${show(ws?.payload?.value)} bytes of payload, ${show(ws?.envelope?.value)} of envelope and about ${show(around)} of frame and pings; its TCP/IP headers come to ${show(ws?.tcpCounted?.value)} more here as the kernel counted segments, ${show(ws?.tcpModelled?.value)} by the model at an MSS of 1448 (a segment of 52 bytes, and its acknowledgement), and TLS would add 22.

![The cheapest transport over message rate and the delay that may be](benchmarks/results/cheapest.svg)

${streams(results)}What is cheapest by the month, with the headers of a browser over ${mapped.rtt} ms of round trip: bytes that leave the server at ${PRICES.gigabyte} US dollars a GB, by the model, and the CPU of a hot server at ${PRICES.core} a core and month, as measured here; ${profile === 'browser' ? 'the table above has the same headers' : `the table above has the headers of the profile ${profile}`}. \`npx fastify-tidings-bench advise\` says it for your figures.
`
}

/** How near the streams are to each other: the map shows only the first. */
function streams({ ranking }: Published): string {
  const of = (figure: string) =>
    ranking.find((one) => one.variant === 'sse' && one.figure === figure)?.comparison
  const [bytes, cpu] = [of('bytes'), of('cpu')]
  if (bytes === undefined || cpu === undefined) return ''
  const interval = `${show(cpu.ratio.low)} to ${show(cpu.ratio.high)}`
  return `Server-Sent Events take ${show(bytes.ratio.value)} times the bytes of WebSocket on the socket, and ${show(cpu.ratio.value)} times its CPU (${interval}: ${cpu.verdict}): the map shows the first of them alone, however near the other is.\n\n`
}

function standing({ passed, judgements }: Published): string {
  const said = 'as [its results](benchmarks/results/RESULTS.md) say'
  if (!passed)
    return `**This run did not pass all of its gates, ${said}: its figures are not to be cited.**\n\n`
  const others = judgements.filter(({ state }) => state !== 'holds').map(({ title }) => title)
  return others.length === 0
    ? ''
    : `The table's own figures were judged and hold. **What the machine disturbed could not be judged, ${said}, and is not to be cited: ${others.join('; ')}.**\n\n`
}

/** At the top of each page, until a run by this method stands there. */
export const EARLIER =
  'These figures were made by an earlier method, which measured servers before their code was compiled: CPU and the delay of long polling are too high, and the ranking by CPU is not to be cited until they are made anew.'

const BEGIN = '<!-- results: by npm run bench:publish -->'
const END = '<!-- end of results -->'

/** @throws where the README has no markers */
export function withResults(readme: string, results: Published): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)]
  if (begin === -1 || end < begin) throw new Error(`The README has no ${BEGIN} … ${END}`)
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${readmeText(results)}\n${readme.slice(end)}`
}

/** @param text the run's tables */
export function resultsText(results: Published, text: string): string {
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
    [
      'gates and residuals',
      passed ? 'all that was judged holds' : 'NOT all hold: what stands against which part is said below',
    ],
    ['rounds run again', String(repeated)],
  ],
)}
A figure in brackets is its interval of 95 %. [How it was measured](../README.md); [the same for programs](results.json), [with plots](results.html).

\`\`\`text
${text.trimEnd()}
\`\`\`
`
}

/** Columns of figures to the right. */
function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const figures = (column: number) => rows.every((row) => /^[0-9–<]/.test(row[column]!))
  const rule = head.map((_, column) => (figures(column) ? '---:' : '---'))
  return [line(head), line(rule), ...rows.map(line), ''].join('\n')
}
