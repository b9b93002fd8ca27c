import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Transport } from '../../client/index.ts'
import { build } from '../helper.ts'
import { FaultProxy } from '../proxy.ts'
import { once, open, range, Taken } from './helper.ts'

const ALL: readonly Transport[] = ['ws', 'sse', 'longpoll', 'poll']

for (const transport of ALL) {
  const transports = [transport]

  t.test(
    `${transport}: a channel is added, from the present and from the past, and taken away`,
    async (t) => {
      const { app, url } = await build(t)
      for (const i of range(1, 5)) await app.tidings.publish('old', i)
      const feed = open(t, url, { transports, channels: ['a'], cursor: 'earliest' })
      const taken = new Taken(feed)
      const one: unknown[] = []
      const off = feed.on('old', ({ data }) => one.push(data))
      await once(feed, 'open')
      await app.tidings.publish('a', 10)
      await taken.until(1)
      await feed.subscribe('old', { cursor: 'earliest' })
      t.same(taken.data, [10, ...range(1, 5)])
      t.same(feed.channels, ['a', 'old'])
      // What was replayed has moved no place.
      t.equal(feed.cursor, taken.cursors[0])
      await feed.subscribe('new')
      await app.tidings.publish('old', 6)
      await app.tidings.publish('new', 7)
      await taken.until(8)
      t.same(one, range(1, 6))
      off()
      await feed.unsubscribe('old')
      await app.tidings.publish('old', 8)
      await app.tidings.publish('new', 9)
      t.same((await taken.until(9)).slice(6), [6, 7, 9])
      t.same(one, range(1, 6))
      t.same(taken.gaps, [])
      t.same(feed.channels, ['a', 'new'])
    },
  )

  t.test(
    `${transport}: a channel is added while connections are cut: nothing lost, nothing twice`,
    async (t) => {
      const { app, port } = await build(t)
      const proxy = await FaultProxy.start(t, port)
      for (const i of range(1, 300)) await app.tidings.publish('old', i)
      const feed = open(t, proxy.url, { transports, channels: ['a'] })
      const taken = new Taken(feed)
      await once(feed, 'open')
      feed.addEventListener('message', ({ data }) => {
        if (data === 100 && transport === 'ws') proxy.reset()
      })
      await feed.subscribe('old', { cursor: 'earliest' })
      await app.tidings.publish('old', 301)
      t.same(await taken.until(301), range(1, 301))
    },
  )

  t.test(`${transport}: a hole in a replay names its channel, and moves no place`, async (t) => {
    const { app, url } = await build(t, { retention: { messages: 2 } })
    const { epoch } = app.tidings.bus.log
    for (const i of range(1, 5)) await app.tidings.publish('old', i)
    const feed = open(t, url, { transports, channels: ['a'], cursor: 'earliest' })
    const taken = new Taken(feed)
    await once(feed, 'open')
    await app.tidings.publish('a', 10)
    await taken.until(1)
    const gap = once(feed, 'gap')
    await feed.subscribe('old', { cursor: `${epoch}.1` })
    t.match(await gap, { reason: 'trimmed', channel: 'old', cursor: `${epoch}.3` })
    t.same(taken.data, [10, 4, 5])
    t.equal(feed.cursor, `${epoch}.6`)
  })

  t.test(`${transport}: what can't be added or taken away rejects`, async (t) => {
    const { url } = await build(t)
    const feed = open(t, url, { transports })
    await once(feed, 'open')
    await t.rejects(feed.subscribe('default'), { message: /is already read/ })
    await t.rejects(feed.subscribe('no channel'), TypeError)
    await t.rejects(feed.subscribe('a', { cursor: 'yesterday' }), TypeError)
    await t.rejects(feed.unsubscribe('a'), { message: /is not read/ })
    await t.rejects(feed.unsubscribe('default'), { message: /the only channel/ })
    for (const i of range(1, 31)) await feed.subscribe(`c${i}`)
    await t.rejects(feed.subscribe('c32'), { message: /32 channels/ })
    feed.close()
    await t.rejects(feed.subscribe('c33'), { message: 'The feed is closed' })
  })

  t.test(`${transport}: credentials are asked before each connection, and a session goes on`, async (t) => {
    let valid = 'one'
    let permit = new AbortController()
    const { app, url } = await build(t, {
      authorize: ({ headers, query }) => {
        const token =
          headers.authorization?.replace('Bearer ', '') ?? (query as { access_token: string }).access_token
        return token === valid && permit.signal
      },
    })
    let asked = 0
    const feed = open(t, url, {
      transports,
      cursor: 'earliest',
      wait: 1,
      getToken: async () => {
        asked++
        return valid
      },
    })
    const taken = new Taken(feed)
    await app.tidings.publish('default', 1)
    await taken.until(1)
    const before = asked
    // The session ends, and another begins.
    valid = 'two'
    const old = permit
    permit = new AbortController()
    old.abort()
    await app.tidings.publish('default', 2)
    t.same(await taken.until(2), [1, 2])
    t.ok(asked > before)
    await feed.publish('default', 3)
    t.same(await taken.until(3), [1, 2, 3])
  })
}

t.test('a second refusal in a row is final', async (t) => {
  const { url } = await build(t, { authorize: () => false })
  let asked = 0
  const feed = open(t, url, { transports: ['longpoll'], getToken: () => `${asked++}` })
  t.match(await once(feed, 'close'), { code: 403, wasClean: false })
  t.equal(asked, 2)
})

t.test('credentials may name what they like, and one that throws is paced and told', async (t) => {
  const seen: unknown[] = []
  const before = (app: FastifyInstance) =>
    app.addHook('onRequest', async ({ headers, query }) => {
      seen.push(headers['x-pass'] ?? (query as { pass?: string }).pass)
    })
  const { url } = await build(t, {}, { before })
  let tries = 0
  const getToken = () => {
    if (++tries < 3) throw new Error('not now')
    return { headers: { 'x-pass': 'h' }, query: { pass: 'q' } }
  }
  const feed = open(t, url, { transports: ['ws'], getToken })
  const taken = new Taken(feed)
  await once(feed, 'open')
  t.same(taken.errors, ['Error: not now', 'Error: not now'])
  await once(open(t, url, { transports: ['poll'], getToken }), 'open')
  t.same(seen.slice(0, 2), ['q', 'h'])
})

t.test('channels wait for a connection, and reject with the feed', async (t) => {
  const { app, port } = await build(t)
  const proxy = await FaultProxy.start(t, port)
  await proxy.refuse()
  const feed = open(t, proxy.url, { transports: ['poll'], cursor: 'earliest' })
  const taken = new Taken(feed)
  const added = feed.subscribe('a', { cursor: 'earliest' })
  await once(feed, 'error')
  await app.tidings.publish('a', 1)
  await proxy.accept()
  await added
  t.same(await taken.until(1), [1])
  const gone = open(t, `${proxy.url}/none`, { transports: ['poll'] })
  const waits = gone.subscribe('a')
  await once(gone, 'error')
  gone.close()
  await t.rejects(waits, { message: 'The feed is closed' })
})
