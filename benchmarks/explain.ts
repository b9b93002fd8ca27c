import { table } from './table.ts'

/** Explains each column of the tables. */
export const COLUMNS: Readonly<Record<string, string>> = {
  'Per delivered message':
    'The transport. All figures in the row are per message that one subscriber received.',
  'p50 ms': 'Half of the messages arrived within this time after their planned publish time.',
  'p99 ms': '99 of 100 messages arrived within this time. Requires 1,000 publishes.',
  requests: "HTTP requests of the subscribers. A stream's single request is spread over --session.",
  bytes: 'Bytes on the subscribers’ sockets in both directions, including HTTP, excluding TCP/IP.',
  'server CPU µs': 'CPU time of the server, user and kernel, including publishing.',
  'idle: memory kB': 'Resident memory of the server per subscriber that receives nothing.',
  'Latency, ms': 'The transport. Times run from the planned publish time to delivery.',
  mean: 'The median of the round means.',
  p50: 'Median over all messages of all rounds.',
  p90: '90 of 100.',
  p99: '99th percentile. Requires 1,000 publishes.',
  'p99.9': '99.9th percentile. Requires 10,000 publishes.',
  max: 'The longest latency of all.',
  'publish request p50': "Median time until the server answered the publisher's request.",
  'p50 from acceptance': 'Median time from the moment the server accepted the message.',
  publishes: 'Messages published in the measurement windows of all rounds.',
  'empty %': 'The share of responses without a message.',
  'bytes up': 'Bytes that subscribers sent.',
  down: 'Bytes that subscribers received.',
  payload: 'Bytes of the published data.',
  envelope: 'Bytes of the JSON around it: cursor, channel, time.',
  overhead: 'Everything else: HTTP headers, event lines, chunks, frames.',
  'TCP/IP': 'TCP/IP headers on top, from the segments that the kernel counted.',
  'at MSS 1448': 'The same according to the model, with 1448 bytes per segment.',
  Server: 'The transport. All figures in the row describe its server.',
  'CPU µs/delivery': 'CPU time divided by deliveries, including publishing.',
  'idle CPU µs/s':
    'CPU time per subscriber and second without messages, excluding a server without subscribers.',
  'marginal CPU µs': 'CPU time per additional delivery: the slope over two rates.',
  'CPU ms/s': 'CPU time of the server per second.',
  'event loop %': "The share of time in which the server's event loop was busy, in the worst round.",
  'client event loop %': 'The same share for the process that runs all subscribers.',
  'client waiting for CPU %': 'The share of time in which that process was runnable but had no core.',
  Figure: 'The figure compared.',
  variant: 'The transport.',
  ratio:
    "The transport's figure divided by WebSocket's: the median over pairs of rounds that ran next to each other.",
  '95 % interval': 'The interval of the ratio, from order statistics.',
  verdict:
    'lower or higher: the interval excludes 1. tie: it lies within 5 % of 1. Otherwise: not distinguished.',
  Section: 'A part of the run.',
  figure: 'The figure that the model predicts.',
  measured: 'The measured value.',
  model: 'The predicted value. Inputs are the rate, round trips and clocks; nothing is fitted.',
  bound: 'The maximum difference: a share of the prediction, or three standard errors.',
  agrees: 'Whether the difference is within the bound. Not judged: fewer than three undisturbed rounds.',
  server: 'A server of a transport. Each transport has two, one after the other.',
  unit: 'The unit of work counted while the server warms up.',
  hot: 'CPU µs per unit at the end of the warm-up.',
  units: 'Units completed by then.',
  'extra CPU ms': 'CPU time of all these units beyond the cost of as many hot ones.',
  settled: 'Whether the cost per unit had stopped falling.',
  'CPU µs/delivery, hot server': 'The transport. A closed loop publishes one message after another.',
  'Idle subscriber': 'The transport. Its subscribers receive nothing.',
  'server RSS, kB': 'Resident memory of the server per subscriber.',
  'kernel caches, both ends, kB':
    'Kernel memory per connection. Client and server run on one machine, so both ends count.',
  '/poll at saturation': 'The content of each response.',
  'CPU µs': 'CPU time of the server per request.',
  'requests/s': 'Requests per second over ten connections.',
  'MB/s': 'Response bytes per second.',
  errors: 'Failed requests.',
}

/** Columns with a number in the name. */
export const NUMBERED: readonly (readonly [RegExp, string])[] = [
  [/^at [\d,]+$/, 'CPU µs per unit after this many units.'],
  [/^to [\d,]+$/, 'With this many subscribers.'],
]

export function explanation(): string {
  const rows = [...Object.entries(COLUMNS), ['at N', NUMBERED[0]![1]], ['to N', NUMBERED[1]![1]]]
  return table(['column', 'description'], rows as [string, string][])
}
