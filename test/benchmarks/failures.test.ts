import t from 'tap'
import {
  failuresOf,
  isDisturbed,
  isLossy,
  isUpperBound,
  undisturbedNeeded,
  undisturbedOf,
} from '../../benchmarks/failures.ts'
import { indexOf, payloadOf } from '../../benchmarks/payload.ts'
import { headersOf } from '../../benchmarks/profiles.ts'
import { type HttpResponse, ResponseParser } from '../../benchmarks/readers/response-parser.ts'
import { clientFrame, FrameParser } from '../../benchmarks/readers/ws.ts'
import type { Quality, RoundResult } from '../../benchmarks/round-result.ts'
import { type CompletedBlock, runBlocks } from '../../benchmarks/run.ts'
import { show, table } from '../../benchmarks/table.ts'
import { textFrame } from '../../routes/ws/encoder.ts'

const GOOD: Quality = {
  ...{
    lenient: false,
    acceptedShare: 1,
    early: 0,
    lagP99: 0.2,
    lagShare: 0,
    proxyLagP99: 0,
    loadCore: 0.1,
    steal: 0,
  },
  ...{ serverWaited: 0.002, serverRan: 0.02, cpuTold: 1, clockOff: 0, negative: 0 },
}

/** A round with default values. */
function round(more: Partial<RoundResult>, quality: Partial<Quality> = {}): RoundResult {
  return {
    variant: 'sse',
    block: 0,
    missed: 0,
    duplicates: 0,
    reordered: 0,
    faults: [],
    latency: { mean: 5, p50: 5, p90: 6, p99: null, p999: null, max: 7, curve: [], sketch: [] },
    ...more,
    quality: { ...GOOD, ...quality },
  } as RoundResult
}

t.test('failures are wrong, disturbances are outside', async (t) => {
  t.same(failuresOf(round({})), [])
  t.notOk(isLossy(round({}, { acceptedShare: 0 })))
  const kind = (measured: RoundResult) => failuresOf(measured).map((failure) => failure.kind)
  for (const one of [{ missed: 1 }, { duplicates: 1 }, { reordered: 1 }, { faults: ['x'] }]) {
    t.same(kind(round(one)), ['wrong'])
    t.ok(isLossy(round(one)))
  }
  for (const one of [
    ...[{ early: 1 }, { acceptedShare: 0.98 }, { negative: 1 }, { clockOff: 5 }],
    ...[{ cpuTold: 0.5 }, { cpuTold: 0.97 }, { cpuTold: 1.03 }],
  ]) {
    t.same(kind(round({}, one)), ['wrong'], JSON.stringify(one))
  }
  t.same(kind(round({}, { cpuTold: 0.99, clockOff: 0.01 })), [])
  t.same(kind(round({}, { acceptedShare: 0.5, steal: 0.5 })), ['outside', 'outside'], 'on a starved machine')
  for (const one of [
    { lagP99: 1.1, lagShare: 0.11 },
    { proxyLagP99: 1.1 },
    { loadCore: 0.71 },
    { steal: 0.03 },
    { serverWaited: 0.015 },
  ]) {
    t.same(kind(round({}, one)), ['outside'], JSON.stringify(one))
    t.same(kind(round({}, { ...one, lenient: true })), [], 'a quick run accepts any machine')
  }
  for (const one of [
    { lagP99: 229, lagShare: 0.9 },
    { proxyLagP99: 229 },
    { loadCore: 0.96 },
    { steal: 0.3 },
    { serverWaited: 0.2 },
  ]) {
    t.same(kind(round({}, { ...one, lenient: true })), ['outside'], JSON.stringify(one))
  }
  t.same(
    kind(round({}, { serverWaited: 0.04, serverRan: 0.2 })),
    [],
    'on a busy server, the bound is a share',
  )
  t.same(kind(round({}, { serverWaited: null, serverRan: null })), [], 'unknown')
  const slow = { mean: 500, p50: 500, p90: 900, p99: null, p999: null, max: 1000, curve: [], sketch: [] }
  t.same(kind(round({ latency: slow }, { proxyLagP99: 40 })), [], 'a tenth of the p50')
  t.same(kind(round({}, { lagP99: 40, lagShare: 0.09 })), [], 'a lag that no figure shows')
  t.same(kind(round({}, { lagP99: 0.1, lagShare: 0.2 })), [], 'as short as the timer can be late')
  t.same(kind(round({ latency: null }, { lagP99: 2, lagShare: 0.2 })), ['outside'])
  t.ok(isUpperBound(round({}, { lagShare: 0.2 })))
  t.notOk(isUpperBound(round({}, { lagShare: 0.1 })))
  t.notOk(isUpperBound(round({ latency: null }, { lagShare: 0.2 })))
})

t.test('a disturbed round is repeated at once; a failed one is not', async (t) => {
  const quiet = round({})
  const disturbed = round({}, { lagP99: 30, lagShare: 0.9 })
  const lost = round({ missed: 1 }, { lagP99: 30, lagShare: 0.9 })
  /** @param plans the result of each attempt, by plan @returns the attempts, and the rounds kept */
  const run = async (
    repeats: number,
    plans: Record<string, RoundResult[]>,
    inTime: (left: string) => boolean = () => true,
  ) => {
    const ran: string[] = []
    const found = new Map<readonly string[], CompletedBlock>()
    const names = Object.keys(plans)
    const blocks = [names.slice(0, 2), names.slice(2)]
    await runBlocks(
      blocks,
      async (plan, block, attempt, left) => {
        t.ok(block.includes(plan))
        t.equal(left[0], plan)
        ran.push(`${plan}${attempt} ${left.join('')}`)
        return plans[plan]![attempt]!
      },
      found,
      {
        maxRetries: repeats,
        inTime: (left) => inTime(left.join('')),
        async waitForCalm(left) {
          ran.push(`calm ${left.join('')}`)
        },
      },
    )
    const kept = blocks.map((block) => [
      found.get(block)!.repeated,
      ...found.get(block)!.rounds.map(isDisturbed),
    ])
    return { ran, kept }
  }
  t.same(await run(2, { a: [quiet], b: [quiet], c: [quiet] }), {
    ran: ['a0 abc', 'b0 bc', 'c0 c'],
    kept: [
      [0, false, false],
      [0, false],
    ],
  })
  const some = { a: [disturbed, disturbed, quiet], b: [quiet], c: [disturbed, quiet] }
  t.same(await run(2, some), {
    ran: ['a0 abc', 'calm abc', 'a1 abc', 'calm abc', 'a2 abc', 'b0 bc', 'c0 c', 'calm c', 'c1 c'],
    kept: [
      [2, false, false],
      [1, false],
    ],
  })
  t.same((await run(1, some)).kept[0], [1, true, false], 'up to the maximum')
  t.same((await run(0, some)).ran, ['a0 abc', 'b0 bc', 'c0 c'], 'a quick run repeats no round')
  t.same(
    (await run(2, some, (left) => left === 'c')).kept[0],
    [0, true, false],
    'only if there is time for the rest',
  )
  t.same(
    (await run(2, { a: [lost], b: [quiet], c: [quiet] })).kept[0],
    [0, true, false],
    'lost messages remain an error',
  )
})

t.test('figures exclude disturbed rounds if there are enough others', async (t) => {
  const quiet = Array.from({ length: 6 }, () => round({}))
  const disturbed = round({}, { steal: 0.5 })
  t.same(undisturbedOf([...quiet, disturbed]), quiet)
  t.equal(
    undisturbedOf([...quiet, disturbed, disturbed, disturbed]).length,
    9,
    'too few: all rounds count, and the verdict reports it',
  )
  t.same([1, 3, 7, 8].map(undisturbedNeeded), [1, 3, 6, 6])
})

t.test('a payload contains its number', async (t) => {
  t.equal(payloadOf(42, 12), '00000042xxxx')
  t.equal(indexOf(`"${payloadOf(42, 12)}"`, 1), 42)
  t.ok(Number.isNaN(indexOf('something else', 0)))
})

t.test('responses split at any byte', async (t) => {
  const text =
    'HTTP/1.1 204 No Content\r\nTidings-Cursor: a.1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 304 x\r\n\r\n'
  for (let size = 1; size < text.length; size += 7) {
    const found: HttpResponse[] = []
    const answers = new ResponseParser((answer) => found.push(answer))
    for (let at = 0; at < text.length; at += size) answers.take(text.slice(at, at + size))
    t.match(found, [{ status: 204, body: '' }, { status: 200, body: 'abc' }, { status: 304 }])
  }
  const answers = new ResponseParser(() => {})
  t.throws(() => answers.take('HTTP/1.1 200 OK\r\n\r\n'), /no content-length/)
  t.throws(
    () =>
      new ResponseParser(() => {}).take(
        'HTTP/1.1 200 OK\r\ncontent-length: 1\r\nContent-Encoding: br\r\n\r\n',
      ),
    /--header-profile minimal/,
  )
  const last: HttpResponse[] = []
  new ResponseParser((answer) => last.push(answer)).take(
    'HTTP/1.1 503 x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  )
  t.match(last, [{ status: 503, body: '' }], 'an error response that closes the connection has no body')
})

t.test('frames split at any byte', async (t) => {
  const sizes = [1, 125, 126, 70_000]
  const bytes = Buffer.concat(sizes.map((size) => textFrame('x'.repeat(size))))
  for (const step of [97, 1000, bytes.length]) {
    const found: number[] = []
    const frames = new FrameParser((opcode, payload) => {
      t.equal(opcode, 1)
      found.push(payload.length)
    })
    for (let at = 0; at < bytes.length; at += step) frames.take(bytes.subarray(at, at + step))
    t.same(found, sizes)
  }
  t.same(clientFrame(10, Buffer.from('hi')), Buffer.from([0x8a, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
})

t.test('the headers of the browser profile contain the origin', async (t) => {
  t.equal(headersOf('minimal', 'poll', 'a:1'), 'Host: a:1\r\n')
  t.match(headersOf('browser', 'ws', 'a:1'), /\r\nOrigin: http:\/\/a:1\r\n/)
  t.match(headersOf('browser', 'poll', 'a:1'), /\r\nReferer: http:\/\/a:1\/\r\n/)
  t.match(headersOf('fetch', 'sse', 'a:1'), /\r\nconnection: keep-alive/)
  t.notMatch(headersOf('fetch', 'ws', 'a:1'), /connection/i)
})

t.test('formatting of tables and numbers', async (t) => {
  t.equal(
    table(['a', 'b'], [['long', '1']]),
    '┌──────┬───┐\n│ a    │ b │\n├──────┼───┤\n│ long │ 1 │\n└──────┴───┘\n',
  )
  t.same([null, undefined, Number.NaN, 0, 1e-5, 0.5, 12.345, 1234.5].map(show), [
    '–',
    '–',
    '–',
    '0',
    '1.0e-5',
    '0.500',
    '12.3',
    '1,235',
  ])
})
