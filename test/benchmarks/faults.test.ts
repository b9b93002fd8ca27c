import t, { type Test } from 'tap'
import { bench } from '../../benchmarks/bench.ts'
import { procCpuOf } from '../../benchmarks/machine.ts'
import { predict } from '../../benchmarks/residual.ts'
import type { RawRound } from '../../benchmarks/round.ts'
import { build } from '../helper.ts'
import { quickForks, runs, SMALL, small } from './small.ts'

type Injected = NonNullable<Parameters<typeof bench>[1]>

/** Runs the command with an injected fault and checks that it fails. @returns its output */
async function failing(t: Test, args: string[], injected: Injected): Promise<string> {
  quickForks(t)
  let out = ''
  const code = await bench([...SMALL, '--verbose', ...args], {
    ...injected,
    print: (text) => {
      out += text
    },
    progress: () => {},
  })
  t.equal(code, 1)
  t.match(out, /FAILED: .*do not cite these figures/)
  return out
}

/** Attempts: on a busy machine, a round may count nothing. */
const TRIES = 5

/** Repeats runs of three rounds until the output contains all of these texts. */
async function failingWith(t: Test, whys: readonly RegExp[], injected: Injected): Promise<void> {
  let out = ''
  for (let i = 0; i < TRIES && !whys.every((why) => why.test(out)); i++) {
    out = await failing(t, ['--transports', 'ws', '--rounds', '3'], injected)
  }
  for (const why of whys) t.match(out, why)
}

const BYTES = /headline +│ +ws │ +bytes\/message │.*│ +NO │/

/** Microseconds: more than any machine is late. */
const HOUR = 3_600e6
const later = (times: Float64Array) => times.map((time) => time + HOUR / 6)
const earlier = (times: Float64Array) => times.map((time) => time - HOUR)

t.test('a dropped, duplicated, reordered or unknown message, and clock skew', async (t) => {
  const { url } = await build(t, { publish: true })
  const out = await failing(t, ['--url', url, '--transports', 'sse', '--subscribers', '4'], {
    faultInjection: { corruptMessages: true, clockSkewMs: 1000 },
  })
  for (const why of [
    '1 message was missed',
    '1 message arrived twice',
    '1 message arrived out of order',
    'An unknown message arrived',
  ]) {
    t.ok(out.includes(`FAILED: headline: sse, round 1: ${why}`), why)
  }
  t.match(out, /FAILED: headline: sse, round 1: a clock was off by \d+\.\d\d ms/)
})

t.test('a message that is published early, or arrives before it was sent', async (t) => {
  const { url } = await build(t, { publish: true })
  const spoilt = async (raw: (raw: RawRound) => RawRound, why: RegExp) =>
    t.match(
      await failing(t, ['--url', url, '--transports', 'sse'], { faultInjection: { alterRound: raw } }),
      why,
    )
  await spoilt(
    (raw) => ({ ...raw, published: { ...raw.published, sent: raw.published.sent.map(earlier) } }),
    /FAILED: headline: sse, round 1: \d+ messages? (was|were) published before their planned time/,
  )
  await spoilt(
    (raw) => ({ ...raw, received: { ...raw.received, at: raw.received.at.map(earlier) } }),
    /FAILED: headline: sse, round 1: \d+ messages? arrived before being sent/,
  )
})

t.test('half of the CPU not reported, and 8 % of the bytes not counted', async (t) => {
  const cpu = /FAILED: headline: ws, round \d: the server reported \d+\.\d % of its CPU in \/proc/
  await failingWith(t, procCpuOf(process.pid) === undefined ? [BYTES] : [BYTES, cpu], {
    faultInjection: { reportedCpu: 0.5, uncountedBytes: 0.08 },
  })
})

t.test('a wrong model', async (t) => {
  const model: typeof predict = (...args) => {
    const prediction = predict(...args)
    return prediction && { ...prediction, bytes: prediction.bytes * 1.2 }
  }
  await failingWith(t, [BYTES], { model })
})

t.test('a disturbed machine: the run is inconclusive and not valid', async (t) => {
  const { url } = await build(t, { publish: true })
  const out = await failing(t, ['--url', url, '--transports', 'ws', '--rate', '10'], {
    faultInjection: {
      alterRound: (raw) => ({
        ...raw,
        steal: 0.5,
        proxyLag: HOUR,
        published: { ...raw.published, sent: raw.published.sent.map(later) },
        received: { ...raw.received, at: raw.received.at.map(later) },
      }),
    },
  })
  t.match(out, /\? Main workload: INCONCLUSIVE: ws: 0 of 1 rounds undisturbed/)
  t.match(out, /FAILED: the machine was too disturbed/)
  t.match(out, /DISTURBED: headline: ws, round 1: the publisher lagged by \d+\.\d\d ms/)
  t.match(out, /DISTURBED: headline: ws, round 1: the proxy lagged by 3600000\.00 ms/)
  t.match(out, /DISTURBED: headline: ws, round 1: the host stole 50\.0 %/)
})

t.test('a server that waits for its core', async (t) => {
  const out = await failing(t, ['--transports', 'ws'], {
    faultInjection: {
      alterRound: (raw) => {
        const [from, to] = raw.serverUsage!
        return { ...raw, serverUsage: [from, { ...to, waited: to.waited + HOUR }] }
      },
    },
  })
  t.match(out, /\? Main workload: INCONCLUSIVE: ws: 0 of 1 rounds undisturbed/)
  t.match(out, /DISTURBED: headline: ws, round 1: the server waited for its core for \d+\.\d % of the time/)
})

t.test('a starved publisher', async (t) => {
  const { url } = await build(t, { publish: true })
  const out = await failing(t, ['--url', url, '--transports', 'ws', '--rate', '40'], {
    faultInjection: { publisherBlockMs: 60 },
  })
  t.match(
    out,
    /headline: ws, round 1: the server accepted only [\d.]+ % of the planned publishes in the window/,
  )
})

t.test('a disturbed round is repeated', async (t) => {
  quickForks(t)
  const { url } = await build(t, { publish: true })
  const settings = { ...small('--url', url, '--transports', 'sse'), quick: false }
  const lines: string[] = []
  const { repeated, failures } = await runs(settings, {
    progress: (line) => lines.push(line.replace(/\d+ s left/, '')),
    faultInjection: {
      alterRound: (raw) => ({
        ...raw,
        steal: 0.5,
        published: { ...raw.published, sent: raw.published.sent.map(later) },
        received: { ...raw.received, at: raw.received.at.map(later) },
      }),
    },
    fullRun: {
      maxRetries: 1,
      idleSubscribers: [],
      passes: 1,
      deliveryCpu: { subscribers: [], units: 1 },
      throughputSeconds: 1,
      dedicatedMachine: false,
    },
  })
  t.equal(repeated, 1)
  t.ok(failures.some(({ kind, text }) => kind === 'outside' && text.includes('the host stole')))
  const lagged =
    /the publisher lagged by \d+\.\d\d ms \(p99\), which is \d+\.\d % of a latency \(at most 10\.0 %\)/
  t.ok(failures.some(({ kind, text }) => kind === 'outside' && lagged.test(text)))
  t.equal(lines[0], 'Main workload, round 1 of 1: sse; ')
  t.match(lines[1], /^Waiting for an undisturbed machine/)
  t.equal(lines.at(-1), 'Main workload, round 1 of 1: sse, repeated; ')
})
