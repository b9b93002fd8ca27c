import t from 'tap'
import { hdrHistogram } from '../../benchmarks/hdr-histogram.ts'
import { SEGMENT } from '../../benchmarks/model/bytes.ts'
import { type BenchOptions, parseBenchOptions } from '../../benchmarks/options.ts'
import { planOf } from '../../benchmarks/plan.ts'
import { endpointOf, type RawRound } from '../../benchmarks/round.ts'
import { measure } from '../../benchmarks/round-result.ts'
import { compare } from '../../benchmarks/statistics.ts'

const [section] = planOf(
  parseBenchOptions(['--quick', '--transports', 'sse', '--subscribers', '2']) as BenchOptions,
)
const plan = section!.blocks[0]![0]!

/** A round of `count` publishes, one per millisecond, with latencies of 2 ms, of an app without internal times. */
function raw(count: number, lag = 0): RawRound {
  const times = Float64Array.from({ length: count }, (_, i) => i * 1000)
  const after = (time: number) => times.map((at) => at + time)
  const end = count * 1000
  const usage = (at: number) => ({
    at,
    cpu: at / 10,
    rssBytes: 1,
    loop: { active: at / 4000, idle: (at * 3) / 4000, utilization: 0.25 },
    waited: 0,
  })
  const mark = (at: number) => ({
    usage: usage(at),
    cycles: 0,
    requests: 2,
    empty: 0,
    connections: 2,
    deliveries: (2 * at) / 1000,
    envelopes: (500 * at) / 1000,
    reads: 0,
    looked: 0,
    up: 0,
    down: (600 * at) / 1000,
  })
  const sent = after(0)
  for (let i = 0; i < lag; i++) sent[i]! += 5000
  return {
    plan,
    start: 0,
    window: { from: 0, to: end },
    schedule: [times],
    published: { sent: [sent], answered: [after(500)] },
    accepted: undefined,
    received: {
      at: [after(1000), after(2000)],
      duplicates: 0,
      reordered: 0,
      faults: [],
      cycles: new Float64Array(),
    },
    trips: { echo: undefined, http: 0.001 },
    server: undefined,
    serverUsage: undefined,
    work: undefined,
    opened: mark(0),
    load: [mark(0), mark(end)],
    publisher: [usage(0), usage(end)],
    proxy: undefined,
    proxyLag: 0,
    segments: undefined,
    steal: 0,
    procCpu: undefined,
    clockOff: 0,
  }
}

t.test('a percentile needs enough publishes', async (t) => {
  const latency = (count: number) => measure(raw(count), hdrHistogram).latency!
  t.match(latency(99), { p99: null, p999: null, curve: { length: 6 } })
  t.match(latency(100), { p99: Number, p999: null })
  t.match(latency(1000), { p99: Number, p999: Number })
  const { mean, p50, p90, p99, p999, max, curve } = latency(10_000)
  t.equal(mean, 1.5)
  t.equal(max, 2)
  for (const [found, wanted] of [
    [p50, 1],
    [p90, 2],
    [p99!, 2],
    [p999!, 2],
  ] as const) {
    t.ok(Math.abs(found - wanted) < 0.01)
  }
  t.equal(curve.length, 8)
})

t.test('an app without internal times', async (t) => {
  const measured = measure(raw(10), hdrHistogram)
  t.match(measured, { cpuPerSecond: null, cpuPerDelivery: null, server: null, work: null, cycle: null })
  t.match(measured, { bytes: { tcpCounted: null, payload: 200 }, deliveries: 20, publishes: 10, missed: 0 })
  t.equal(measured.accepted!.mean, 1, 'from the response to the publisher')
  t.ok(Math.abs(measured.quality.loadCore - 0.2) < 1e-9)
})

t.test('segments cover the window', async (t) => {
  const segments = [
    { in: 100, out: 50 },
    { in: 160, out: 130 },
  ] as const
  const { bytes } = measure({ ...raw(10), segments }, hdrHistogram)
  t.equal(bytes!.tcpCounted, ((60 + 80) * SEGMENT) / 20)
  const { load, ...rest } = raw(10)
  const reopened = { ...load[1], connections: load[1].connections + 1 }
  const other = measure({ ...rest, load: [load[0], reopened], segments }, hdrHistogram)
  t.equal(other.bytes!.tcpCounted, null, 'counters of closed connections are lost')
})

t.test('the lag excludes the worst hundredth, at least one sample', async (t) => {
  const lag = (count: number, late: number) => measure(raw(count, late), hdrHistogram).quality.lagP99
  t.same([lag(20, 0), lag(20, 1), lag(20, 2)], [0, 0, 5])
  t.same([lag(1000, 10), lag(1000, 11)], [0, 5])
  t.equal(lag(1, 1), 5)
})

t.test('the lag is a share of the figure to which it adds', async (t) => {
  const share = (count: number, late: number) => measure(raw(count, late), hdrHistogram).quality.lagShare
  // Arrival times stay: these messages left 5 ms late and arrived early, so their lag is all of their delay.
  t.equal(share(1000, 0), 0)
  const one = raw(1000)
  const after = (times: Float64Array) => times.map((at, i) => (i % 50 === 0 ? at + 8000 : at))
  const slow = {
    ...one,
    published: { ...one.published, sent: one.published.sent.map(after) },
    received: { ...one.received, at: one.received.at.map(after) },
  }
  const { lagShare } = measure(slow, hdrHistogram).quality
  t.ok(lagShare > 0.7 && lagShare < 0.9, `the p99 is 10 ms instead of 2 ms: ${lagShare}`)
  const none = { ...slow, received: { ...one.received, at: [] } }
  t.equal(measure(none, hdrHistogram).quality.lagShare, 0, 'without readers, the p50 of a publish')
  const rare = measure({ ...slow, window: { from: 990_001, to: 1e6 } }, hdrHistogram).quality
  t.equal(rare.lagShare, 0, 'not in the window')
})

t.test('counts early publishes', async (t) => {
  const { published, ...rest } = raw(10)
  const sent = published.sent[0]!.map((at, i) => (i === 3 ? at - 1 : at))
  const { quality } = measure({ ...rest, published: { ...published, sent: [sent] } }, hdrHistogram)
  t.equal(quality.early, 1)
})

t.test('CPU: the figure of the server relative to /proc', async (t) => {
  const usage = (cpu: number) => ({ ...raw(10).publisher[0], cpu })
  const told = (cpu: number) =>
    measure(
      {
        ...raw(10),
        serverUsage: [usage(0), { ...usage(cpu), at: 10_000 }],
        server: [
          { at: 0, cpu: 0 },
          { at: 10_000, cpu },
        ],
        // The difference is between 990 and 1010.
        procCpu: [
          { before: -5, after: 5 },
          { before: 995, after: 1005 },
        ],
      },
      hdrHistogram,
    ).quality.cpuTold
  t.same([told(990), told(1000), told(1010)], [1, 1, 1])
  t.equal(told(495), 0.5)
  t.equal(told(2020), 2)
})

t.test('counts messages that arrive before they were sent', async (t) => {
  const { received, ...rest } = raw(10)
  const at = received.at.map((times) => times.map((time) => time - 1500))
  t.equal(measure({ ...rest, received: { ...received, at } }, hdrHistogram).quality.negative, 10)
})

t.test('the address of an app', async (t) => {
  t.same(endpointOf(new URL('http://a/live/')), { host: 'a', port: 80, path: '/live' })
  t.same(endpointOf(new URL('http://[::1]:81')), { host: '::1', port: 81, path: '' })
  t.equal(compare([1], [1]).ratio.low, null)
})
