import t from 'tap'
import { longpoll, poll, type Reader, read, sse, type Transports, ws } from '../../client/core/index.ts'
import type { Feed, Transport } from '../../client/index.ts'
import { build, until } from '../helper.ts'
import { FaultProxy } from '../proxy.ts'
import { type Count, once, QUICK, range, Taken } from './helper.ts'

const ALL = { ws, sse, longpoll, poll }

/** The tests' helpers take a feed; they need no more of it than a reader has. */
const feedOf = (reader: Reader<Count>) => reader as Feed<Count>

for (const transport of Object.keys(ALL) as Transport[]) {
  t.test(`${transport}: a reader of one transport, over a cut`, async (t) => {
    const { app, port } = await build(t)
    const proxy = await FaultProxy.start(t, port)
    const feed = feedOf(
      read<Count>(proxy.url, { [transport]: ALL[transport] }, { ...QUICK, cursor: 'earliest' }),
    )
    t.teardown(() => feed.close())
    const taken = new Taken(feed)
    for (const i of range(1, 3)) await app.tidings.publish('default', i)
    await taken.until(3)
    proxy.cut()
    for (const i of range(4, 6)) await app.tidings.publish('default', i)
    t.same(await taken.until(6), range(1, 6))
    t.equal(feed.transport, transport)
    t.equal(proxy.seen.filter(({ path }) => path !== `/${transport}`).length, 0)
  })
}

t.test('a reader falls back in the order of its transports, and goes over', async (t) => {
  const { app, port } = await build(t)
  const proxy = await FaultProxy.start(t, port)
  proxy.fault = ({ upgrade }) => (upgrade ? { kind: 'answer', head: '400 Bad Request' } : undefined)
  const feed = feedOf(read<Count>(proxy.url, ALL, { ...QUICK, cursor: 'earliest' }))
  t.teardown(() => feed.close())
  const taken = new Taken(feed)
  await app.tidings.publish('default', 1)
  await taken.until(1)
  await until(() => feed.transport === 'sse')
  t.equal(await feed.switchTo('longpoll'), true)
  await app.tidings.publish('default', 2)
  t.same(await taken.until(2), [1, 2])
})

t.test(
  'a reader tells a hole and reads on behind it, and takes no transport that it has not got',
  async (t) => {
    const { app, url } = await build(t, { retention: { messages: 2 } })
    for (const i of range(1, 5)) await app.tidings.publish('default', i)
    const cursor = `${app.tidings.bus.log.epoch}.1`
    const feed = feedOf(read<Count>(url, { poll }, { ...QUICK, cursor }))
    t.teardown(() => feed.close())
    const taken = new Taken(feed)
    const gap = await once(feed, 'gap')
    t.match(gap, { reason: 'trimmed', from: cursor, cursor: `${app.tidings.bus.log.epoch}.3` })
    t.same(await taken.until(2), [4, 5])
    await t.rejects(feed.switchTo('ws'), /no 'ws'/)
    t.notOk('publish' in feed)
    t.throws(() => read(url, {} as Transports), { name: 'TypeError' })
  },
)
