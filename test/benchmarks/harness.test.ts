import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { pin } from '../../benchmarks/machine.ts'
import { type BenchOptions, parseBenchOptions } from '../../benchmarks/options.ts'
import type { RoundResult } from '../../benchmarks/round-result.ts'
import { medianEstimate, medianOf } from '../../benchmarks/statistics.ts'
import { LOADER, ROOT } from '../child.ts'
import { type Found, harness } from './harness.ts'
import { quickForks, runs, small, wrong } from './small.ts'

/*
 * Compares the suite with an independent harness. Requests and bytes must be equal. CPU and delay depend on the
 * machine: they are printed, and only judged with `BENCH_JUDGE=1` on a machine that runs nothing else.
 */

const judged = process.env.BENCH_JUDGE === '1'
const KINDS = ['poll', 'longpoll', 'sse', 'ws'] as const

async function server(t: Test): Promise<{ port: number; pid: number }> {
  quickForks(t)
  const child = fork(join(ROOT, 'test/benchmarks/harness-server.ts'), { execArgv: LOADER })
  t.teardown(() => child.disconnect())
  const [port] = (await once(child, 'message')) as [number]
  if (judged) await pin(child.pid!, 'server')
  return { port, pid: child.pid! }
}

/** Figures per delivery that both measurements have. */
type PerDelivery = Pick<Found, 'bytes' | 'requests' | 'filled'>

/** Bytes of a message without the exchanges: their number per delivery depends on the timing of the messages. */
function bytesOfMessage({ bytes, requests, filled }: PerDelivery, { exchange }: Found): number {
  return bytes - (requests - filled) * exchange.empty - filled * exchange.filled
}

for (const kind of KINDS) {
  t.test(`${kind}: requests and bytes equal those of the independent harness`, async (t) => {
    const { port, pid } = await server(t)
    const polls = kind === 'poll'
    const [subscribers, rate, seconds] = polls ? [4, 40, 2] : [2, 20, 1]
    const load = { port, pid, kind, subscribers, channel: 'bench-1', rate, payload: 200 }
    const found = await harness({ ...load, messages: rate * seconds, interval: polls ? 0.1 : 0 })
    t.same(found.wrong, [])
    // Polls are counted at the ends of a window. On a busy machine, a poll may leave it.
    if (!polls) t.equal(found.deliveries, subscribers * rate * seconds)
    const workload = ['--subscribers', `${subscribers}`, '--rate', `${rate}`, '--duration', `${seconds}`]
    const outcome = await runs(
      small(
        ...['--url', `http://127.0.0.1:${port}`, '--transports', kind, '--session', '10000000'],
        ...(polls ? workload : []),
      ),
    )
    t.same(wrong(outcome), [])
    const { bytes, requests, emptyShare, latency, cpuPerDelivery, deliveries } = outcome
      .rounds[0] as RoundResult
    const delay = (of: Found) => medianOf(of.delays).toFixed(2)
    t.comment(
      `${kind}: bytes ${found.bytes} and ${bytes?.both}, requests ${found.requests} and ${requests}, p50 ${delay(found)} and ${latency?.p50} ms, CPU ${found.cpu} and ${cpuPerDelivery} µs`,
    )
    // On a starved machine, all messages may arrive after the window.
    if (deliveries === 0) return
    if (kind === 'poll' || kind === 'longpoll') {
      const suite = { bytes: bytes!.both, requests: requests!, filled: requests! * (1 - emptyShare!) }
      const [own, theirs] = [bytesOfMessage(found, found), bytesOfMessage(suite, found)]
      t.ok(Math.abs(own - theirs) < 3, `${theirs} and ${own} bytes`)
      if (polls) {
        // 10 polls and 40 messages per second: a busy machine sends fewer polls, no machine more.
        for (const each of [found, suite])
          t.ok(each.requests > 0.1 && each.requests < 0.3, `${each.requests}`)
        t.ok(found.filled > 0 && suite.filled > 0)
      } else {
        t.ok(
          requests! <= 1.5 && found.requests <= 1,
          'one request per message, or less if messages share a response',
        )
      }
    } else {
      t.equal(found.requests, 0)
      t.ok(requests! < 1e-5)
      // On a busy machine, messages of one stream may share a chunk, whose framing takes 6 to 8 bytes.
      const shared = kind === 'sse' ? 8 : 0
      t.ok(Math.abs(bytes!.both - found.bytes) < shared + 0.01, `${bytes!.both} and ${found.bytes} bytes`)
    }
  })
}

t.test('the intervals of CPU and delay overlap', { skip: !judged && 'BENCH_JUDGE=1' }, async (t) => {
  for (const kind of KINDS) {
    const { port, pid } = await server(t)
    const interval = kind === 'poll' ? 0.25 : 0
    const common = { port, pid, kind, subscribers: 100, channel: 'bench-1', payload: 200, interval }
    // Heat the server, as the suite does.
    for (let i = 0; i < 5; i++) await harness({ ...common, rate: 400, messages: 120 })
    const args = [
      '--url',
      `http://127.0.0.1:${port}`,
      '--transports',
      kind,
      '--rounds',
      '1',
      '--heat',
      '0',
      '--poll-interval',
      '250',
    ]
    const options = parseBenchOptions(['--quick', '--duration', '4', ...args]) as BenchOptions
    const cpus: [number, number][] = []
    const delays: [number, number][] = []
    // Alternate, so that disturbances affect both.
    for (let round = 0; round < 7; round++) {
      const own = await harness({ ...common, rate: 30, messages: 120 })
      const [suite] = (await runs({ ...options, seed: round })).rounds as [RoundResult]
      cpus.push([own.cpu!, suite.cpuPerDelivery!])
      delays.push([medianOf(own.delays), suite.latency!.p50])
    }
    // Each implementation polls by its own timers, which have a grain of a millisecond.
    const grain = kind === 'poll' ? 1 : 0
    for (const [name, pairs, tolerance] of [
      ['CPU, µs', cpus, 0],
      ['delay, ms', delays, grain],
    ] as const) {
      const [own, suite] = [0, 1].map((side) => medianEstimate(pairs.map((pair) => pair[side]!))) as [
        ReturnType<typeof medianEstimate>,
        ReturnType<typeof medianEstimate>,
      ]
      const text = [own, suite].map(({ value, low, high }) => `${value} [${low}, ${high}]`).join(' and ')
      t.comment(`${kind}: ${name}: ${text}`)
      t.ok(
        own.low! <= suite.high! + tolerance && suite.low! <= own.high! + tolerance,
        `${kind}: ${name}: ${text}`,
      )
    }
  }
})
