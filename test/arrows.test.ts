import { once } from 'node:events'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { type ConnectOptions, connect } from '../client/index.ts'
import type { Transport } from '../client/types.ts'
import { ROOT } from './child.ts'
import { startPage } from './pages.ts'

/** What the page reads from the pieces that the tap tells of. */
interface Arrow {
  direction: 'up' | 'down'
  act: string
  news?: string
  count?: number
  more?: boolean
  age?: number
  held?: number
  waits?: boolean
}
interface Piece {
  kind: string
  direction?: 'up' | 'down'
  connection: number
  at: number
  delay: number
  size?: number
  bytes?: string
}
const load = (name: string) => import(join(ROOT, 'demo', 'public', name))
const { Arrows, wordsOf } = (await load('arrow.js')) as {
  Arrows: new () => { take(piece: Piece): Arrow | undefined }
  wordsOf(arrow: Partial<Arrow>): string
}
const { ACTS } = (await load('meaning.js')) as { ACTS: string[] }
const { parsePrefix } = (await load('json-prefix.js')) as {
  parsePrefix(text: string): { value: unknown; whole: boolean }
}
const { addTexts } = (await load('i18n.js')) as { addTexts(texts: object): void }
addTexts((await load('texts/diagram.js')).default)

/** Whether the first is the second as far as it was read. */
function within(part: unknown, whole: unknown): boolean {
  if (part === undefined) return true
  if (typeof part === 'string') return typeof whole === 'string' && whole.startsWith(part)
  if (typeof part !== 'object' || part === null) return Object.is(part, whole)
  if (typeof whole !== 'object' || whole === null || Array.isArray(part) !== Array.isArray(whole))
    return false
  return Object.entries(part).every(
    ([name, value]) => Object.hasOwn(whole, name) && within(value, (whole as Record<string, unknown>)[name]),
  )
}

t.test('JSON that is cut off anywhere is read as far as it goes', async (t) => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.nat({ max: 8 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (json, indent, at) => {
        // A bare number can't be told from a longer one.
        const text = JSON.stringify([json], undefined, indent)
        const value = JSON.parse(text)
        t.strictSame(parsePrefix(text), { value, whole: true })
        const cut = text.slice(0, Math.floor(at * text.length))
        return within(parsePrefix(cut).value, value)
      },
    ),
    { numRuns: 400 },
  )
  const of = (text: string) => parsePrefix(text).value
  t.strictSame(of('{"a":[1,2'), { a: [1] }, 'a number that may go on is none')
  t.strictSame(of('{"a":"b\\u00'), { a: 'b' })
  t.strictSame(of('{"a":{"b":true,"c'), { a: { b: true } })
  t.strictSame(of('{"a":"b\\q"}'), {})
  t.strictSame(of('{"a" 1}'), {})
  t.strictSame(of('{a'), {})
  t.equal(of('"ab\ncd'), undefined)
  t.equal(of(''), undefined)
  t.equal(of('HTTP/1.1'), undefined)
  t.ok(of('['.repeat(4096)), 'as deep as it may come')
  t.equal(({} as { polluted?: number }).polluted, undefined)
  t.ok(Object.hasOwn(of('{"__proto__":{"polluted":1},"') as object, '__proto__'))
})

/** A piece that goes down, of these bytes; `kept` of them are told. */
function down(kind: string, text: string | Buffer, kept = 4096): Piece {
  const bytes = Buffer.from(text as string)
  const told = bytes.subarray(0, kept).toString('base64')
  return { kind, direction: 'down', connection: 1, at: 0, delay: 0, size: bytes.length, bytes: told }
}
const chunk = (text: string, kept?: number) =>
  down('chunk', `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`, kept)
const envelope = (data: unknown, seq = 1) =>
  JSON.stringify({ cursor: `epoch123.${seq}`, channel: 'default', time: 1, data })

t.test('events are read as the format has them, in whatever order their lines stand', async (t) => {
  const arrows = new Arrows()
  const read = (text: string, kept?: number) => {
    const { act, news = '', count, more } = arrows.take(chunk(text, kept))!
    return [act, news, ...(count === undefined ? [] : [count]), ...(more ? ['more'] : [])]
  }
  const ready = 'data: {"cursor":"epoch123.0"}'
  t.same(read(`retry: 900\n\nevent: ready\nid: epoch123.0\n${ready}\n\n`), ['ready', ''])
  t.same(read(`event: ready\nretry: 900\n${ready}\nid: epoch123.0\n\n`), ['ready', ''])
  t.same(read(`event:ready\r\nid:epoch123.0\r\n${ready}\r\n\r\n`), ['ready', ''], 'other line ends, no space')
  for (const data of ['event: ready', 'event: gap', '0\r\n', '\ndata: x', '{"cursor":"a.1","channel":"b"}']) {
    t.same(read(`id: epoch123.1\ndata: ${envelope(data)}\n\n`), ['push', data, 1])
    t.same(read(`data: ${envelope(data)}\nid: epoch123.1\n\n`), ['push', data, 1])
  }
  t.same(read(`data: ${envelope('a')}\nid: epoch123.1\n\ndata: ${envelope('b', 2)}\nid: epoch123.2\n\n`), [
    'pushes',
    'a',
    2,
  ])
  t.same(read(':\n\n'), ['alive', ''])
  t.same(read(':\n'), ['alive', ''])
  t.same(read('event: gap\nid: e.1\ndata: {"reason":"trimmed","cursor":"e.1"}\n\n'), ['gap', 'trimmed'])
  t.same(read('event: end\ndata: {"channel":"a","cursor":"e.1"}\nid: e.1\n\n'), ['ended', 'a'])
  t.same(read('event: other\ndata: x\n\n'), ['part', ''])
  t.same(read('retry: 5000\n\n'), ['retry', ''])
  // One event in three pieces.
  t.same(read(`id: e.1\nda`), ['part', ''])
  t.same(read(`ta: ${envelope('c')}`), ['part', ''])
  t.same(read('\n\n'), ['push', 'c', 1])
  // What is not kept of a piece does not go into the next one.
  t.same(read(`data: ${envelope('d'.repeat(5000))}\nid: e.1\n\n`)[1], `${'d'.repeat(59)}…`)
  t.same(read(`data: ${envelope('e')}\nid: e.2\n\n`), ['push', 'e', 1])
  t.same(arrows.take(down('chunk', '0\r\n\r\n'))!.act, 'end')
})

t.test('each act has its words, and a gap its reason', async (t) => {
  for (const act of ACTS) t.ok(wordsOf({ act, news: 'x', count: 1 }), act)
  t.equal(wordsOf({ act: 'gap', news: 'epoch' }), 'Gap: the log has started over')
  t.equal(wordsOf({ act: 'several', news: 'x', count: 3, more: true }), 'Yes, ≥ 3 messages: x')
  t.throws(() => wordsOf({ act: 'unknown' }), { message: "no text 'say.unknown'" })
})

/** A reader on a lane of its own, and the arrows that the page would draw of it. */
async function watch(t: Test, url: string, transport: Transport) {
  const id = `${transport}LaneOfThisTest00`.slice(0, 16)
  const tap = new WebSocket(`${url.replace('http', 'ws')}demo/tap?lane=${id}`)
  t.teardown(() => tap.terminate())
  const arrows = new Arrows()
  const drawn: Arrow[] = []
  const pieces: Piece[] = []
  let wake = () => {}
  await once(tap, 'open')
  tap.on('message', (data) => {
    const frame = JSON.parse(data.toString()) as { type: string; pieces: Piece[] }
    if (frame.type !== 'pieces') return
    pieces.push(...frame.pieces)
    drawn.push(...frame.pieces.flatMap((piece) => arrows.take(piece) ?? []))
    wake()
  })
  const until = async (pass: (arrow: Arrow) => boolean): Promise<Arrow> => {
    for (;;) {
      const found = drawn.find(pass)
      if (found) return found
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  const feed = connect(`${url}lane/${id}`, {
    channels: ['default'],
    transports: [transport],
    storage: { getItem: () => null, setItem() {} },
    pollInterval: 200,
    // That of ws has all that the client uses.
    WebSocket: WebSocket as unknown as NonNullable<ConnectOptions['WebSocket']>,
  })
  t.teardown(() => feed.close())
  return { drawn, pieces, until, feed }
}

t.test('what a real server sends means what it is, whatever the message says', async (t) => {
  const { app, url } = await startPage(t)
  const texts = [
    'event: ready',
    'event: gap',
    '"messages":[]',
    '{"cursor":"aaaaaaaa.1","messages":[]}',
    '{"type":"ready"}',
    '0\r\n\r\n',
    'say "\\"',
    '❤️'.repeat(2000),
  ]
  const values = [{ type: 'ready' }, { cursor: 'a.1', channel: 'b', data: 'inner' }, [[]], null, 17, true]
  for (const transport of ['poll', 'longpoll', 'sse', 'ws'] as const) {
    await t.test(transport, async (t) => {
      const { until, drawn, feed } = await watch(t, url, transport)
      await new Promise((resolve) => feed.addEventListener('open', resolve, { once: true }))
      await until(({ act }) => ['no', 'ready'].includes(act))
      for (const [i, data] of [...texts, ...values].entries()) {
        const before = drawn.length
        const got = new Promise((resolve) => feed.addEventListener('message', resolve, { once: true }))
        await app.tidings.publish('default', i < texts.length ? (data as string) : { json: data })
        const { data: heard } = (await got) as unknown as { data: unknown }
        t.strictSame(heard, i < texts.length ? data : { json: data })
        const shown = typeof heard === 'string' ? heard : JSON.stringify(heard)
        const arrow = await until(
          (arrow) =>
            drawn.indexOf(arrow) >= before &&
            ['yes', 'push'].includes(arrow.act) &&
            arrow.news!.slice(0, 40) === [...shown].slice(0, 59).join('').slice(0, 40),
        )
        t.equal(arrow.count, 1)
        t.ok(arrow.age! >= 0)
        const others = drawn
          .slice(before)
          .filter(({ act }) => ['ready', 'gap', 'end', 'frame', 'part'].includes(act))
        t.same(others, [], `nothing else is read from ${shown.slice(0, 40)}`)
      }
    })
  }
})

t.test('an arrow has the age of its message, and apart from it how long the request was held', async (t) => {
  const { app, url } = await startPage(t)
  for (const transport of ['poll', 'longpoll'] as const) {
    await t.test(transport, async (t) => {
      const { until, pieces, drawn } = await watch(t, url, transport)
      if (transport === 'longpoll') await until(({ act }) => act === 'hold')
      else await until(({ act }) => act === 'no')
      // The question that brings it was asked before it, or after.
      const { time } = await app.tidings.publish('default', 'dated')
      const arrow = await until(({ act }) => act === 'yes')
      const answer = pieces.findLast(({ kind }) => kind === 'body')!
      const question = pieces.findLast(({ kind, at }) => kind === 'request' && at <= answer.at)!
      t.ok(Math.abs(arrow.age! - (answer.at - time)) < 2, `age ${arrow.age}`)
      t.ok(arrow.held! <= answer.at - question.at + 1, `held ${arrow.held}`)
      t.equal(arrow.waits, transport === 'longpoll')
      if (transport === 'poll')
        t.ok(arrow.age! >= arrow.held! - 2, 'short polling: the message waited, not the request')
      else t.ok(question.at < time + 1, 'long polling: the request waited, not the message')
      t.equal(drawn.filter(({ direction, age }) => direction === 'up' && age !== undefined).length, 0)
    })
  }
})
