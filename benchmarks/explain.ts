import { table } from './table.ts'

/** What each column of the tables is. */
export const COLUMNS: Readonly<Record<string, string>> = {
  'A delivered message': 'A transport. The figures of its row are of one message that one subscriber got.',
  'p50 ms':
    'Half of the messages came within this time of the moment at which they were planned to be published.',
  'p99 ms': '99 of 100 came within this time. It is told from 1,000 publishes on.',
  requests:
    "HTTP requests that the subscribers sent for it. A stream's one request is spread over --session.",
  bytes: 'Bytes on the sockets of the subscribers, both ways, with HTTP, without TCP/IP.',
  'server CPU µs': 'CPU of the server, user and kernel, what publishing takes included.',
  'idle: memory kB': 'Resident memory of the server for each subscriber to whom nothing comes.',
  'Latency, ms': 'A transport. Times run from the planned moment to delivery.',
  mean: 'The median of the means of the rounds.',
  p50: 'Half of all messages of all rounds came within it.',
  p90: '90 of 100.',
  p99: '99 of 100; from 1,000 publishes on.',
  'p99.9': '999 of 1,000; from 10,000 publishes on.',
  max: 'The last one of all.',
  'publish request p50': "Half of the publisher's own requests were answered within it.",
  'p50 from acceptance': 'Half came within it from the moment at which the server took the message.',
  publishes: 'Messages that were published in the windows of all rounds.',
  'empty %': 'Answers that carried no message, of all.',
  'bytes up': 'Bytes that subscribers sent.',
  down: 'Bytes that came to them.',
  payload: 'What the publisher sent.',
  envelope: 'The JSON around it: cursor, channel, time.',
  overhead: 'The rest: HTTP, lines, chunks, frames.',
  'TCP/IP': 'Headers of TCP and IP beside it, from the segments that the kernel counted.',
  'at MSS 1448': 'The same by the model, where a segment carries 1448 bytes.',
  Server: 'A transport; the figures are those of its server.',
  'CPU µs a delivery': 'CPU of the server over deliveries, what publishing takes included.',
  'CPU µs an idle subscriber and second':
    'CPU where nothing is published, without what a server takes that nobody reads.',
  'CPU µs a further delivery': 'The slope of CPU over deliveries, of two rates.',
  'CPU ms/s': 'CPU of the server in a second.',
  'event loop %': "The share of the time for which the server's event loop was at work, in its worst round.",
  'event loop delay p99 ms': 'For so long a timer of the server had to wait at most, 99 times of 100.',
  'client event loop %': 'The same share of the process that has all subscribers.',
  'client waiting for CPU %':
    'The share of the time for which that process was ready to run and had no core.',
  Figure: 'What is compared.',
  variant: 'A transport.',
  ratio: "Its figure over WebSocket's: the median of the rounds, each beside the one that ran next to it.",
  '95 % interval': 'Of the ratio, by order statistics.',
  verdict:
    'lower or higher: the interval leaves out 1. tie: it lies within 5 % of 1. Else they are not distinguished.',
  Section: 'A part of the run.',
  figure: 'What the model predicts.',
  measured: 'What was found.',
  model: 'What the model says, from rate, round trips and clocks, none of them fitted.',
  bound: 'How far the two may be apart: a part of the model, or three standard errors.',
  agrees: 'Whether they are no further apart. Not judged: fewer than three rounds that nothing disturbed.',
  server: 'A server of a transport: there are two, one after the other.',
  'a unit is a': 'What is counted while it gets hot.',
  hot: 'CPU µs of a unit in the end.',
  units: 'How many units it had behind it then.',
  'extra CPU ms': 'What all these units took more than hot ones would have.',
  settled: 'Whether the cost of a unit had stopped falling.',
  'A delivery of a hot server, CPU µs': 'A transport, one message after another to so many subscribers.',
  'An idle subscriber': 'A transport to whose subscribers nothing comes.',
  'server RSS, kB': 'Resident memory of the server for each.',
  'kernel caches, both ends, kB':
    "The kernel's memory for each connection, client and server on one machine.",
  '/poll, as often as it can': 'What each answer carries.',
  'CPU µs': 'CPU of the server for each request.',
  'requests/s': 'Requests that were answered in a second, over ten connections.',
  'MB/s': 'Bytes of the answers in a second.',
  errors: 'Requests that failed.',
}

/** Columns whose names have a number in them. */
export const NUMBERED: readonly (readonly [RegExp, string])[] = [
  [/^at [\d,]+$/, 'CPU µs of a unit when so many of them were done.'],
  [/^to [\d,]+$/, 'With so many subscribers.'],
]

export function explanation(): string {
  const rows = [...Object.entries(COLUMNS), ['at N', NUMBERED[0]![1]], ['to N', NUMBERED[1]![1]]]
  return table(['column', 'what it is'], rows as [string, string][])
}
