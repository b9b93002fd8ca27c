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
    const lost = round({ missed: 1 }, { lagP99: 30 })
    /** @param blocks for each attempt, what its rounds bring @returns what was run, and what was kept of each */
    const run = async (
      repeats: number,
      blocks: Record<string, Measured[][]>,
      inTime: (plans: string) => boolean = () => true,
    ) => {
      const ran: string[] = []
      const found = new Map<readonly string[], Believed>()
      const plans = Object.entries(blocks).map(([name, attempts]) =>
        attempts[0]!.map((_, index) => `${name}${index}`),
      )
      await believed(
        plans,
        async (plan, block, attempt, left) => {
          t.ok(block.includes(plan))
          t.equal(left[0], plan)
          ran.push(`${attempt} ${left.join('')}`)
          return blocks[plan[0]!]![attempt]![Number(plan[1])]!
        },
        found,
        {
          repeats,
          inTime: (plans) => inTime(plans.join('')),
          async calm(left) {
            ran.push(`calm ${left.join('')}`)
          },
        },
      )
      const kept = plans.map((block) => {
        const { rounds, failures, repeated } = found.get(block)!
        t.same(rounds, blocks[block[0]![0]!]![repeated])
        return [repeated, ...failures.map(({ kind }) => kind)].join(' ')
      })
      return { ran, kept }
    }
    t.same(await run(2, { a: [[quiet, quiet]] }), { ran: ['0 a0a1', '0 a1'], kept: ['0'] })
    const some = {
      a: [
        [disturbed, quiet],
        [quiet, disturbed],
        [quiet, quiet],
      ],
      b: [[quiet]],
      c: [[disturbed], [quiet]],
    }
    const again = [
      'calm b0c0a0a1',
      '0 b0c0a0a1',
      '0 c0a0a1',
      'calm a0a1c0',
      '1 a0a1c0',
      '1 a1c0',
      'calm c0a0a1',
      '1 c0a0a1',
      '2 a0a1',
      '2 a1',
    ]
    t.same(
      await run(2, some),
      {
        ran: ['0 a0a1b0c0', ...again],
        kept: ['2', '0', '1'],
      },
      'the rest of a disturbed block is left out',
    )
    t.same(
      await run(2, some, (plans) => plans !== 'b0c0a0a1'),
      {
        ran: ['0 a0a1b0c0', '0 a1b0c0', ...again],
        kept: ['2', '0', '1'],
      },
      'not where there may be no time to run it again',
    )
    const late = {
      a: [
        [disturbed, quiet],
        [disturbed, quiet],
      ],
      b: [[quiet]],
    }
    let asked = 0
    t.same(
      await run(2, late, () => asked++ === 0),
      { ran: ['0 a0a1b0', 'calm b0a0a1', '0 b0a0a1', '1 a0a1', '1 a1'], kept: ['1 outside', '0'] },
      'what was left out is run to its end, and not again without time',
    )
    t.same(
      await run(1, { a: [0, 1].map(() => [disturbed, quiet]) }),
      { ran: ['0 a0a1', 'calm a0a1', '1 a0a1', '1 a1'], kept: ['1 outside'] },
      'not for ever, and its last attempt to the end',
    )
    t.same(
      await run(0, { a: [[disturbed, disturbed]] }),
      { ran: ['0 a0a1', '0 a1'], kept: ['0 outside outside'] },
      'a quick run repeats none',
    )
    t.same(
      await run(2, { a: [[quiet, lost, disturbed]] }),
      { ran: ['0 a0a1a2', '0 a1a2', '0 a2'], kept: ['0 wrong outside outside'] },
      'what is lost stays lost',
    )
    const short = await run(2, some, (plans) => plans === 'c0')
    t.same(short.kept, ['0 outside', '0', '1'], 'one that takes too long leaves time for another')
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
