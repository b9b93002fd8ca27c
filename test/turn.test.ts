import t, { type Test } from 'tap'
import { memoryBus } from '../bus/memory.ts'
import { textPayload } from '../bus/payload.ts'
import { type SubscribeOptions, subscribe } from '../bus/subscribe.ts'
import { build, type Frame, live, openSocket, openStream } from './helper.ts'

/** An app whose log can turn, with some messages in it. */
async function start(t: Test, texts: number) {
  const bus = memoryBus()
  const say = (text: string, channel = 'c', key?: string) => bus.publish(channel, textPayload(text), key)
  for (let i = 1; i <= texts; i++) await say(`${i}`)
  const built = await build(t, { bus, publish: true })
  return { ...built, bus, say, at: (seq: number) => bus.log.cursor(seq) }
}

/** What comes next on a stream: a message's data and cursor, or a gap. */
const seen = ({ type, reason, cursor, data }: Frame) => [type === 'gap' ? reason : data, cursor]

t.test('nothing was lost: nobody notices, and cursors have another name', async (t) => {
  const { app, url, bus, say, at } = await start(t, 3)
  const [old, two] = [at(3), at(2)]
  const socket = await openSocket(t, `${url}/ws?channel=c&cursor=${two}`)
  const stream = await openStream(t, `${url}/sse?channel=c`)
  const held = fetch(`${url}/longpoll?channel=c&cursor=${old}`)
  await live(app, 3)
  t.match(await socket.json(), { type: 'ready', cursor: two })
  t.strictSame(seen(await socket.json()), ['3', old], 'a message keeps its cursor')
  t.match(await stream.next(), { event: 'ready', id: old })
  bus.turn(3)
  t.not(at(3), old)
  await say('4')
  t.strictSame(seen(await socket.json()), ['4', at(4)])
  t.match(await stream.next(), { id: at(4) })
  t.match(await (await held).json(), { cursor: at(4), messages: [{ data: '4' }] })
  const page = (await (await fetch(`${url}/poll?channel=c&cursor=${two}`)).json()) as Frame
  t.match(page, { cursor: at(4), messages: [{ cursor: old }, { cursor: at(4) }] })
  const more = (await (await fetch(`${url}/poll?channel=c&cursor=${two}&limit=1`)).json()) as Frame
  t.match(more, { cursor: old, more: true })
})

t.test('a tail was lost: who has had some of it is told once, others are not', async (t) => {
  const { app, url, bus, say, at } = await start(t, 5)
  const [four, old] = [at(4), at(5)]
  // They have had 5, of which only 4 will stay.
  const socket = await openSocket(t, `${url}/ws?channel=c&cursor=${four}`)
  const stream = await openStream(t, `${url}/sse?channel=c&cursor=${four}`)
  const heldThere = fetch(`${url}/longpoll?channel=c&cursor=${old}`)
  // These have not: one has had nothing of its channel, two stand before it.
  const beside = await openSocket(t, `${url}/ws?channel=d&cursor=${at(2)}`)
  const heldBeside = fetch(`${url}/longpoll?channel=d&cursor=${at(2)}`)
  await live(app, 5)
  await socket.json()
  t.strictSame(seen(await socket.json()), ['5', old])
  await stream.next()
  t.match(await stream.next(), { id: old })
  await beside.json()

  bus.turn(4)
  const fork = at(4)
  t.strictSame(seen(await socket.json()), ['ahead', fork], 'also while nobody publishes')
  t.match(await stream.next(), {
    event: 'gap',
    id: fork,
    data: JSON.stringify({ reason: 'ahead', cursor: fork }),
  })
  const answer = await heldThere
  t.equal(answer.status, 410)
  t.match(await answer.json(), { reason: 'ahead', cursor: fork })
  await say('other', 'd')
  await say('new')
  t.strictSame(seen(await socket.json()), ['new', at(6)])
  t.match(await stream.next(), { id: at(6) })
  t.strictSame(seen(await beside.json()), ['other', at(5)])
  t.match(await (await heldBeside).json(), { messages: [{ data: 'other' }] })
  for (const [cursor, status] of [
    [four, 200],
    [old, 410],
  ] as const) {
    t.equal((await fetch(`${url}/poll?channel=c&cursor=${cursor}`)).status, status, cursor)
  }
})

t.test('the log starts over', async (t) => {
  const { app, url, bus, say, at } = await start(t, 3)
  const old = at(3)
  const socket = await openSocket(t, `${url}/ws?channel=c&cursor=${old}`)
  const raw = await openSocket(t, `${url}/ws?channel=c&format=raw`)
  const held = fetch(`${url}/longpoll?channel=c&cursor=${old}`)
  await live(app, 3)
  await socket.json()
  await say('keyed', 'c', 'k')
  await socket.json()
  await held
  bus.turn()
  t.strictSame(seen(await socket.json()), ['epoch', at(0)])
  t.match(await raw.closed, { code: 4010, reason: at(0) })
  for (let i = 1; i <= 5; i++) await say(`new ${i}`)
  for (let i = 1; i <= 5; i++) t.strictSame(seen(await socket.json()), [`new ${i}`, at(i)])
  const answer = await fetch(`${url}/poll?channel=c&cursor=${old}`)
  t.match({ status: answer.status, ...((await answer.json()) as object) }, { status: 410, reason: 'epoch' })
  t.equal((await say('keyed', 'c', 'k')).repeated, false, 'keys are forgotten')
})

t.test(
  'a place that moves on while nothing comes is no place past the fork, unless it was told',
  async (t) => {
    const { app, url, bus, say, at } = await start(t, 1)
    const idle = await openSocket(t, `${url}/ws?channel=d&cursor=${at(1)}`)
    const asks = await openSocket(t, `${url}/ws?channel=d&cursor=${at(1)}`)
    await live(app, 2)
    for (const each of [idle, asks]) await each.json()
    await say('2')
    await say('3')
    asks.send({ type: 'ping' })
    t.match(await asks.json(), { type: 'pong', cursor: at(3) })
    bus.turn(2)
    t.strictSame(seen(await asks.json()), ['ahead', at(2)])
    await say('for both', 'd')
    t.strictSame(seen(await asks.json()), ['for both', at(3)])
    t.strictSame(seen(await idle.json()), ['for both', at(3)])
  },
)

t.test('the last 64 epochs are known, each up to its own end', async (t) => {
  const { bus, say, at } = await start(t, 1)
  const ends: { cursor: string; end: number }[] = []
  for (let i = 0; i < 70; i++) {
    await say(`${i}`)
    ends.push({ cursor: at(bus.log.head), end: bus.log.head })
    bus.turn(bus.log.head)
  }
  ends.forEach(({ cursor, end }, i) => {
    const [epoch = '', seq] = cursor.split('.')
    const { gap } = bus.log.locate({ epoch, seq: Number(seq) }, ['c'])
    t.equal(gap?.reason, i < 6 ? 'epoch' : undefined, `${i}`)
    if (i >= 6) t.match(bus.log.locate({ epoch, seq: end + 1 }, ['c']).gap, { reason: 'ahead', seq: end })
  })
  bus.turn(30)
  const [epoch = ''] = ends.at(-1)!.cursor.split('.')
  t.match(bus.log.locate({ epoch, seq: 31 }, ['c']).gap, { reason: 'ahead', seq: 30 }, 'and no further')
})

t.test('a message that came back to its number is another one', async (t) => {
  const { bus, say, at } = await start(t, 5)
  const old = at(5)
  await say('keyed', 'c', 'lost')
  await say('kept', 'c', 'also lost')
  bus.turn(5)
  t.equal(bus.log.head, 5)
  const { seq, repeated } = await say('keyed', 'c', 'lost')
  t.strictSame([seq, repeated], [6, false], 'the key of what was lost is free')
  const texts = bus.log.read(['c'], 0, { limit: 10, bytes: 1e6 }).entries.map(({ payload }) => payload)
  t.strictSame(texts, ['1', '2', '3', '4', '5', 'keyed'])
  t.equal(bus.log.kept.messages, 6)
  const [epoch = ''] = old.split('.')
  t.match(bus.log.locate({ epoch, seq: 6 }, ['c']).gap, { reason: 'ahead', seq: 5 })
  bus.turn(0)
  t.strictSame([bus.log.head, bus.log.kept.messages, bus.log.kept.channels], [0, 0, 0])
  t.match(bus.log.locate({ epoch, seq: 1 }, ['c']).gap, { reason: 'ahead', seq: 0 })
})

t.test('a loop is told of a turn, too, and of nothing twice', async (t) => {
  const { bus, say, at } = await start(t, 5)
  const gaps: string[] = []
  const options: SubscribeOptions = {
    cursor: at(3),
    onGap: ({ reason, cursor }) => gaps.push(`${reason} ${cursor}`),
  }
  const loop = subscribe<string>(bus, 'c', options, new AbortController().signal)
  t.match((await loop.next()).value, { data: '4' })
  // 5 stands in what it has read already, and is gone.
  bus.turn(4)
  await say('new')
  t.match((await loop.next()).value, { data: 'new', cursor: at(5) })
  t.strictSame(gaps, [], 'it has not had what was lost')
  bus.turn(4)
  const next = loop.next()
  await say('newer')
  t.match((await next).value, { data: 'newer', cursor: at(5) })
  t.strictSame(gaps, [`ahead ${at(4)}`])
  const waiting = loop.next()
  bus.turn()
  await say('first')
  t.match((await waiting).value, { data: 'first', cursor: at(1) })
  t.strictSame(gaps.slice(1), [`epoch ${at(0)}`])
  await loop.return!()
})
