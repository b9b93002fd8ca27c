import t from 'tap'
import { atFloor, failuresOf, isLossy } from '../../benchmarks/gates.ts'
import { indexOf, payloadOf } from '../../benchmarks/payload.ts'
import { headersOf } from '../../benchmarks/profiles.ts'
import { Answers, type HttpAnswer } from '../../benchmarks/readers/answers.ts'
import { clientFrame, Frames } from '../../benchmarks/readers/ws.ts'
import type { Measured, Quality } from '../../benchmarks/record.ts'
import { type Believed, believed } from '../../benchmarks/run.ts'
import { show, table } from '../../benchmarks/table.ts'
import { textFrame } from '../../bus/forms.ts'

const GOOD: Quality = { acceptedShare: 1, early: 0, lagP99: 0.2, proxyLagP99: 0, loadCore: 0.1, steal: 0 }

/** A round of which only this is looked at. */
function round(more: Partial<Measured>, quality: Partial<Quality> = {}): Measured {
  return {
    variant: 'sse',
    block: 0,
    missed: 0,
    duplicates: 0,
    reordered: 0,
    faults: [],
    latency: { mean: 5, p50: 5, p90: 6, p99: null, p999: null, max: 7, curve: [] },
    ...more,
    quality: { ...GOOD, ...quality },
  } as Measured
}

t.test('what is wrong with a run stands; what disturbs it is told apart', async (t) => {
  t.same(failuresOf(round({})), [])
  t.notOk(isLossy(round({}, { acceptedShare: 0 })))
  const kind = (measured: Measured) => failuresOf(measured).map((failure) => failure.kind)
  for (const one of [{ missed: 1 }, { duplicates: 1 }, { reordered: 1 }, { faults: ['x'] }]) {
    t.same(kind(round(one)), ['wrong'])
    t.ok(isLossy(round(one)))
  }
  for (const one of [{ early: 1 }, { acceptedShare: 0.98 }]) t.same(kind(round({}, one)), ['wrong'])
  for (const one of [{ lagP99: 1.1 }, { proxyLagP99: 1.1 }, { loadCore: 0.71 }, { steal: 0.03 }]) {
    t.same(kind(round({}, one)), ['outside'])
  }
  const slow = { mean: 500, p50: 500, p90: 900, p99: null, p999: null, max: 1000, curve: [] }
  t.same(kind(round({ latency: slow }, { lagP99: 40 })), [], 'a tenth of the p50')
  t.same(kind(round({ latency: null }, { lagP99: 2 })), ['outside'])
  t.ok(atFloor(round({}, { lagP99: 1.1 })))
  t.notOk(atFloor(round({}, { lagP99: 0.9 })))
  t.notOk(atFloor(round({ latency: null })))
})

t.test(
  'blocks that were disturbed are run again, whole, after the others; one that is wrong stands',
  async (t) => {
    const quiet = round({})
    const disturbed = round({}, { lagP99: 30 })
    const spoilt = round({ missed: 1 }, { lagP99: 30 })
    /** What was run, in its order, with what was still to come; and what was kept of each. */
    const run = async (
      repeats: number,
      attempts: Record<string, Measured[][]>,
      inTime?: (name: string) => boolean,
    ) => {
      const ran: string[] = []
      const found = new Map<string, Believed>()
      await believed(
        Object.keys(attempts),
        async (name, attempt, rest) => {
          ran.push(`${name}${attempt} ${rest.join('')}`.trim())
          return attempts[name]![attempt]!
        },
        found,
        repeats,
        inTime,
      )
      const kept = [...found].map(([name, { rounds, failures, repeated }]) => {
        t.equal(rounds, attempts[name]![repeated])
        return [name, repeated, ...failures.map(({ kind }) => kind)]
      })
      return { ran, kept }
    }
    t.same(await run(2, { a: [[quiet, quiet]] }), { ran: ['a0'], kept: [['a', 0]] })
    const some = { a: [[quiet, disturbed], [disturbed], [quiet]], b: [[quiet]], c: [[disturbed], [quiet]] }
    t.same(await run(2, some), {
      ran: ['a0 bc', 'b0 ca', 'c0 a', 'a1 c', 'c1 a', 'a2'],
      kept: [
        ['a', 2],
        ['b', 0],
        ['c', 1],
      ],
    })
    t.same(
      (await run(2, { a: [[disturbed], [disturbed], [disturbed]] })).kept,
      [['a', 2, 'outside']],
      'twice at most',
    )
    const none = await run(0, { a: [[disturbed, disturbed]] })
    t.same(none, { ran: ['a0'], kept: [['a', 0, 'outside', 'outside']] }, 'a quick run repeats none')
    const lost = await run(2, { a: [[disturbed, spoilt]] })
    t.same(lost, { ran: ['a0'], kept: [['a', 0, 'outside', 'wrong', 'outside']] })
    const short = await run(2, some, (name) => name === 'c')
    t.same(
      short.kept,
      [
        ['a', 0, 'outside'],
        ['b', 0],
        ['c', 1],
      ],
      'one that takes too long leaves time for another',
    )
  },
)

t.test('a payload carries its number', async (t) => {
  t.equal(payloadOf(42, 12), '00000042xxxx')
  t.equal(indexOf(`"${payloadOf(42, 12)}"`, 1), 42)
  t.ok(Number.isNaN(indexOf('something else', 0)))
})

t.test('answers are cut wherever the wire cuts', async (t) => {
  const text =
    'HTTP/1.1 204 No Content\r\nTidings-Cursor: a.1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 304 x\r\n\r\n'
  for (let size = 1; size < text.length; size += 7) {
    const found: HttpAnswer[] = []
    const answers = new Answers((answer) => found.push(answer))
    for (let at = 0; at < text.length; at += size) answers.take(text.slice(at, at + size))
    t.match(found, [{ status: 204, body: '' }, { status: 200, body: 'abc' }, { status: 304 }])
  }
  const answers = new Answers(() => {})
  t.throws(() => answers.take('HTTP/1.1 200 OK\r\n\r\n'), /of unknown length/)
  t.throws(
    () => new Answers(() => {}).take('HTTP/1.1 200 OK\r\ncontent-length: 1\r\nContent-Encoding: br\r\n\r\n'),
    /--header-profile minimal/,
  )
})

t.test('frames are cut wherever the wire cuts', async (t) => {
  const sizes = [1, 125, 126, 70_000]
  const bytes = Buffer.concat(sizes.map((size) => textFrame('x'.repeat(size))))
  for (const step of [97, 1000, bytes.length]) {
    const found: number[] = []
    const frames = new Frames((opcode, payload) => {
      t.equal(opcode, 1)
      found.push(payload.length)
    })
    for (let at = 0; at < bytes.length; at += step) frames.take(bytes.subarray(at, at + step))
    t.same(found, sizes)
  }
  t.same(clientFrame(10, Buffer.from('hi')), Buffer.from([0x8a, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
})

t.test('the headers of a browser name the page’s origin', async (t) => {
  t.equal(headersOf('minimal', 'poll', 'a:1'), 'Host: a:1\r\n')
  t.match(headersOf('browser', 'ws', 'a:1'), /\r\nOrigin: http:\/\/a:1\r\n/)
  t.match(headersOf('browser', 'poll', 'a:1'), /\r\nReferer: http:\/\/a:1\/\r\n/)
  t.match(headersOf('fetch', 'sse', 'a:1'), /\r\nconnection: keep-alive/)
  t.notMatch(headersOf('fetch', 'ws', 'a:1'), /connection/i)
})

t.test('tables and numbers', async (t) => {
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
