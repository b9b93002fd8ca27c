/** Defines the terms and the columns of all tables. */

type Definitions = Readonly<Record<string, string>>

/** Terms that the output uses. */
export const TERMS: Definitions = {
  delivery: 'A message that one subscriber received. A message to 100 subscribers is 100 deliveries.',
  round: 'One measurement of one transport: a warm-up and a measurement window.',
  block: 'One round of each transport, in random order. Comparisons pair the rounds of a block.',
  section: 'Blocks with the same workload.',
  'disturbed round':
    'A round that something else on the machine affected: the publisher or the proxy lagged, the load was busy, the host stole CPU, or the server waited for its core. It is repeated, and excluded if enough other rounds remain.',
  lag: 'The time from the planned to the actual publish, or from the planned to the actual forwarding by the proxy.',
  'warmed-up server':
    'A server whose code is compiled: its CPU time per unit of work has reached a steady state.',
  '95 % CI':
    'The 95 % confidence interval of a median, from order statistics. Requires six rounds. Brackets contain it.',
  'ws, repeated': 'An A/A test: ws measured again on another server. Smaller differences are noise.',
  'publish only': 'A round without subscribers: the cost of publishing alone.',
  'lower, higher': 'The interval of the ratio excludes 1.',
  equivalent: 'The whole interval of the ratio is within 5 % of 1.',
  'no significant difference': 'The interval of the ratio contains 1, or there is no interval.',
  inconclusive: 'Too few undisturbed rounds, or a server that was not warmed up. Do not cite the figures.',
  '–': 'Not measured, or too few publishes for this percentile.',
}

/** Columns of the report, with and without --verbose. */
const REPORT: Definitions = {
  'Per delivered message':
    'The transport. All figures in the row are per message that one subscriber received.',
  'p50 ms': 'Half of the messages arrived within this time after their planned publish time.',
  'p99 ms': '99 of 100 messages arrived within this time. Requires 1,000 publishes.',
  requests: "HTTP requests of the subscribers. A stream's single request is spread over --session.",
  bytes: 'Bytes on the subscribers’ sockets in both directions, including HTTP, excluding TCP/IP.',
  'server CPU µs': 'CPU time of the server, user and kernel, including publishing.',
  'idle memory kB': 'Resident memory of the server per subscriber that receives nothing.',
  'Latency, ms': 'The transport. Latency is the time from the planned publish to delivery.',
  mean: 'The median of the mean latencies of the rounds.',
  p50: "The median over all messages of all rounds. At most: the publisher's lag adds more than a tenth.",
  p90: 'The 90th percentile over all messages of all rounds.',
  p99: 'The 99th percentile. Requires 1,000 publishes.',
  'p99.9': 'The 99.9th percentile. Requires 10,000 publishes.',
  max: 'The longest latency of all.',
  'publish request p50': "Median time until the server answered the publisher's request.",
  'p50 from acceptance': 'Median time from the moment the server accepted the message to delivery.',
  publishes: 'Messages published in the measurement windows of all rounds.',
  'empty responses %': 'The share of responses without a message.',
  'bytes sent': 'Bytes that subscribers sent.',
  'bytes received': 'Bytes that subscribers received.',
  payload: 'Bytes of the published data.',
  envelope: 'Bytes of the JSON around it: cursor, channel, time.',
  overhead: 'All other bytes: HTTP headers, event lines, chunks, frames.',
  'TCP/IP counted': 'Bytes of TCP/IP headers on top, from the segments that the kernel counted.',
  'TCP/IP modelled': 'The same according to the model, with segments of 1448 bytes.',
  Server: 'The transport. All figures in the row describe its server.',
  'CPU µs/delivery': 'CPU time divided by deliveries, including publishing.',
  'idle CPU µs/s':
    'CPU time per second and subscriber without messages, beyond that of a server without subscribers.',
  'incremental CPU µs/delivery': 'CPU time per additional delivery: the slope over two rates.',
  'CPU ms/s': 'CPU time per second.',
  'event loop utilization %': 'The share of time in which the event loop was busy, in the worst round.',
  'client event loop utilization %': 'The same for the process that runs all subscribers.',
  'client run queue %': 'The share of time in which that process was runnable but had no core.',
  Metric: 'The metric compared.',
  metric: 'The metric that the model predicts.',
  transport: 'The transport. Polling has an interval.',
  ratio:
    'The figure of the transport divided by that of ws: the median over pairs of rounds that ran next to each other.',
  '95 % CI': 'The confidence interval of the ratio.',
  verdict: 'lower, higher, equivalent, or no significant difference. See the terms.',
  Section: 'The section of the run.',
  measured: 'The measured value.',
  predicted:
    'The value that the model predicts from the rate, round trips and clocks. It is not fitted to the measurements.',
  tolerance: 'The maximum difference: a share of the prediction, or three standard errors.',
  agrees:
    'Whether the difference is within the tolerance. Inconclusive: fewer than three undisturbed rounds.',
  'Cold start': 'The transport, and the number of its server: each transport has two, one after the other.',
  unit: 'The unit of work that is counted while the server warms up.',
  'warmed up': 'CPU µs per unit at the end of the warm-up.',
  units: 'Units completed by then.',
  'extra CPU ms': 'CPU time of all these units beyond that of as many units on the warmed-up server.',
  'steady state': 'Whether the CPU time per unit had stopped falling.',
  'CPU µs/delivery, warmed-up server': 'The transport. A closed loop publishes one message after another.',
  'Idle subscriber': 'The transport. Its subscribers receive nothing.',
  'server RSS, kB': 'Resident memory of the server per subscriber.',
  'kernel memory, both ends, kB':
    'Memory of the kernel’s slab caches per connection. Client and server run on one machine, so both ends count.',
  '/poll at saturation': 'The content of each response.',
  'CPU µs': 'CPU time of the server per request.',
  'requests/s': 'Requests per second over ten connections.',
  'MB/s': 'Response bytes per second.',
  errors: 'Failed requests.',
}

/** Columns of `compare` and of a run with --against. A column with the name of a file contains its figures. */
const COMPARE: Definitions = {
  transport: 'The transport.',
  metric: 'Latencies are in milliseconds, server CPU is in µs per delivery, all others are per delivery.',
  'after / before': 'The figure of the second run divided by that of the first. Lower is better.',
  '95 % CI': 'The confidence interval of that ratio. It covers the uncertainty of both runs.',
  verdict: 'better, worse, equivalent, or no significant difference. A change of 5 % or less is equivalent.',
  'max / min': 'The highest figure divided by the lowest.',
  'CIs overlap': 'Whether a value lies in the confidence intervals of all runs.',
}

/** Columns of `advise`. */
const ADVISE: Definitions = {
  Rank: 'The transport, cheapest first. "=" ties with the row above: within 5 %, or with overlapping intervals.',
  'p99 ms': 'The predicted p99 latency, excluding the time of the server.',
  'bytes/s per subscriber': 'Bytes on the network in both directions, including TCP/IP headers.',
  'egress GB/month': 'Bytes that the server sends to all users in 30 days.',
  'price/month': 'Egress and CPU at the given prices.',
  'server CPU cores':
    'Busy cores for all subscribers. *: beyond the number of subscribers that was measured.',
  'radio on %': "The share of time in which a phone's radio is on: the model has a single tail of 10 s.",
  'memory MB': 'Heap and external memory of the server for all idle subscribers, measured on Node 20.',
  'limited by': 'The limit that applies first: the p99 of an interval, connections, or streams.',
  'break-even': 'The nearest rate at which the row costs as much as its neighbour, and swaps ranks with it.',
}

/** Definitions by table. */
export const COLUMNS = { report: REPORT, compare: COMPARE, advise: ADVISE } as const

/** Columns of the report with a number in the name. */
export const NUMBERED: readonly (readonly [RegExp, name: string, definition: string])[] = [
  [/^after [\d,]+$/, 'after N', 'CPU µs per unit when this many units were completed.'],
  [/^[\d,]+ subscribers$/, 'N subscribers', 'With this many subscribers.'],
]

/** Renders all definitions, wrapped for a terminal. */
export function explanation(): string {
  const numbered = Object.fromEntries(NUMBERED.map(([, name, definition]) => [name, definition]))
  return (
    [
      ['Terms', TERMS],
      ['Columns of the report', { ...REPORT, ...numbered }],
      ['Columns of compare', COMPARE],
      ['Columns of advise', ADVISE],
    ] as const
  )
    .map(([title, definitions]) => `${title}\n\n${Object.entries(definitions).map(entryOf).join('')}`)
    .join('\n')
}

/** Columns before the definitions, and of the definitions. */
const INDENT = 36
const WIDTH = 84

function entryOf([name, definition]: readonly [string, string]): string {
  const lines = definition.match(new RegExp(`\\S.{0,${WIDTH - 1}}(?=\\s|$)`, 'g'))!
  return lines.map((line, i) => `${(i === 0 ? `  ${name}` : '').padEnd(INDENT)}${line}\n`).join('')
}
