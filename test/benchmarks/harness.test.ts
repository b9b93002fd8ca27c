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
const KINDS = ['longpoll', 'sse', 'ws'] as const

async function server(t: Test): Promise<{ port: number; pid: number }> {
  quickForks(t)
  const child = fork(join(ROOT, 'test/benchmarks/harness-server.ts'), { execArgv: LOADER })
  t.teardown(() => child.disconnect())
  const [port] = (await once(child, 'message')) as [number]
  if (judged) await pin(child.pid!, 'server')
  return { port, pid: child.pid! }
}

/** Bytes of a message with its own request. */
const alone = ({ bytes, requests, exchange }: { bytes: number; requests: number; exchange: number }) =>
  bytes - (requests - 1) * exchange

for (const kind of KINDS) {
  t.test(`${kind}: requests and bytes equal those of the independent harness`, async (t) => {
    const { port, pid } = await server(t)
    const load = { port, pid, kind, subscribers: 2, channel: 'bench-1', rate: 20, payload: 200 }
    const found = await harness({ ...load, messages: 20 })
    t.same(found.wrong, [])
    t.equal(found.deliveries, 40)
    const outcome = await runs(
      small('--url', `http://127.0.0.1:${port}`, '--transports', kind, '--session', '10000000'),
    )
    t.same(wrong(outcome), [])
    const { bytes, requests, latency, cpuPerDelivery, deliveries } = outcome.rounds[0] as RoundResult
    const delay = (of: Found) => medianOf(of.delays).toFixed(2)
    t.comment(
      `${kind}: bytes ${found.bytes} and ${bytes?.both}, requests ${found.requests} and ${requests}, p50 ${delay(found)} and ${latency?.p50} ms, CPU ${found.cpu} and ${cpuPerDelivery} µs`,
    )
    // On a starved machine, all messages may arrive after the window.
    if (deliveries === 0) return
    if (kind === 'longpoll') {
      const suite = { bytes: bytes!.both, requests: requests!, exchange: found.exchange }
      t.ok(Math.abs(alone(suite) - alone(found)) < 3, `${alone(suite)} and ${alone(found)} bytes`)
      t.ok(
        requests! <= 1.5 && found.requests <= 1,
        'one request per message, or less if messages share a response',
      )
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
    const common = { port, pid, kind, subscribers: 100, channel: 'bench-1', payload: 200 }
    // Heat the server, as the suite does.
    for (let i = 0; i < 5; i++) await harness({ ...common, rate: 400, messages: 120 })
    const args = ['--url', `http://127.0.0.1:${port}`, '--transports', kind, '--rounds', '1', '--heat', '0']
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
    for (const [name, pairs] of [
      ['CPU, µs', cpus],
      ['delay, ms', delays],
    ] as const) {
      const [own, suite] = [0, 1].map((side) => medianEstimate(pairs.map((pair) => pair[side]!))) as [
        ReturnType<typeof medianEstimate>,
        ReturnType<typeof medianEstimate>,
      ]
      const text = [own, suite].map(({ value, low, high }) => `${value} [${low}, ${high}]`).join(' and ')
      t.comment(`${kind}: ${name}: ${text}`)
      t.ok(own.low! <= suite.high! && suite.low! <= own.high!, `${kind}: ${name}: ${text}`)
    }
  }
})
