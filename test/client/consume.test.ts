import { getEventListeners } from 'node:events'
import t from 'tap'
import type { Transport } from '../../client/index.ts'
import { memoryBus } from '../../index.ts'
import { build, until } from '../helper.ts'
import { FaultProxy } from '../proxy.ts'
import { type Count, once, open, range, Taken } from './helper.ts'

const ALL: readonly Transport[] = ['ws', 'sse', 'longpoll', 'poll']

for (const transport of ALL) {
  const transports = [transport]

  t.test(`${transport}: what comes before there is an iteration is kept for it`, async (t) => {
    const { app, url } = await build(t)
    for (const i of range(1, 10)) await app.tidings.publish('default', i)
    const feed = open(t, url, { transports, cursor: 'earliest' })
    await once(feed, 'open')
    await app.tidings.publish('default', 11)
    const got: Count[] = []
    for await (const { data } of feed) if (got.push(data) === 11) break
    t.same(got, range(1, 11))
    // What it has left is for the next.
    await app.tidings.publish('default', 12)
    for await (const { data } of feed) if (got.push(data)) break
    t.equal(got.at(-1), 12)
  })

  t.test(`${transport}: a handler that comes late gets all, and the cursor waits for it`, async (t) => {
    const { app, url } = await build(t)
    for (const i of range(1, 10)) await app.tidings.publish('default', i)
    const feed = open(t, url, { transports, cursor: 'earliest', buffer: 5 })
    await once(feed, 'open')
    await until(() => feed.readyState === 0)
    // A poll names no place before its first message.
    t.match(feed.cursor ?? '.0', /\.0$/)
    const taken = new Taken(feed)
    t.same(await taken.until(10), range(1, 10))
    t.match(feed.cursor, /\.10$/)
  })

  t.test(`${transport}: a loop that is left while it had stopped the feed lets it go on`, async (t) => {
    const { app, url } = await build(t)
    for (const i of range(1, 50)) await app.tidings.publish('default', i)
    const feed = open(t, url, { transports, cursor: 'earliest', buffer: 5 })
    let opens = 0
    feed.onopen = () => opens++
    const loop = feed[Symbol.asyncIterator]()
    const taken = new Taken(feed)
    t.equal((await loop.next()).value?.data, 1)
    await until(() => feed.readyState === 0)
    t.same(await loop.return!(), { value: undefined, done: true })
    t.same(await taken.until(50), range(1, 50))
    t.same(await loop.next(), { value: undefined, done: true })
    t.equal(opens, 1)
  })

  t.test(
    `${transport}: moves to a better one while retention passes its start, without a word`,
    async (t) => {
      if (transport === 'ws') return
      const bus = memoryBus({ messages: 20 })
      const { app, port } = await build(t, { bus })
      const proxy = await FaultProxy.start(t, port)
      proxy.fault = ({ path }) => (path === '/ws' ? { kind: 'delay', ms: 40 } : undefined)
      for (const i of range(1, 5)) await app.tidings.publish('default', i)
      const feed = open(t, proxy.url, { transports: [transport, 'ws'], cursor: 'earliest' })
      const taken = new Taken(feed)
      await taken.until(5)
      const moved = feed.switchTo('ws')
      let last = 5
      let going = true
      void moved.then(() => {
        going = false
      })
      while (going) {
        for (const _ of range(1, 7)) await app.tidings.publish('default', ++last)
        await taken.until(last)
      }
      t.equal(await moved, true)
      await app.tidings.publish('default', ++last)
      await taken.until(last)
      t.same(taken.data, range(1, last))
      t.same(taken.gaps, [])
    },
  )

  t.test(`${transport}: stays where it is while what it would move to lags behind`, async (t) => {
    if (transport === 'ws') return
    const { app, port } = await build(t, { bus: memoryBus({ messages: 10_000 }) })
    const proxy = await FaultProxy.start(t, port)
    proxy.fault = ({ path }) => (path === '/ws' ? { kind: 'slow', ms: 400 } : undefined)
    const feed = open(t, proxy.url, { transports: [transport, 'ws'], cursor: 'earliest', probe: 500 })
    const taken = new Taken(feed)
    let last = 0
    const publish = async () => {
      await app.tidings.publish('default', ++last)
      await taken.until(last)
    }
    await publish()
    let moved: boolean | undefined
    void feed.switchTo('ws').then((did) => {
      moved = did
    })
    while (moved === undefined) await publish()
    await publish()
    t.equal(moved, false)
    t.equal(feed.transport, transport)
    t.same(taken.data, range(1, last))
    t.same(taken.gaps, [])
  })

  t.test(`${transport}: a for await throws the gap`, async (t) => {
    const { app, url } = await build(t, { retention: { messages: 3 } })
    for (const i of range(1, 6)) await app.tidings.publish('default', i)
    const feed = open(t, url, { transports, cursor: `${app.tidings.bus.log.epoch}.1` })
    await once(feed, 'open')
    await t.rejects(feed[Symbol.asyncIterator]().next(), { code: 'TIDINGS_ERR_GAP', reason: 'trimmed' })
    // The next goes on behind it.
    t.equal((await feed[Symbol.asyncIterator]().next()).value?.data, 4)
  })

  t.test(
    `${transport}: a hole is told to a handler that comes late, once, and before what is behind it`,
    async (t) => {
      const { app, url } = await build(t, { retention: { messages: 3 } })
      for (const i of range(1, 6)) await app.tidings.publish('default', i)
      const feed = open(t, url, { transports, cursor: `${app.tidings.bus.log.epoch}.1` })
      await once(feed, 'open')
      const heard: unknown[] = []
      feed.onmessage = ({ data }) => heard.push(data)
      feed.ongap = ({ reason }) => heard.push(reason)
      await until(() => heard.length === 4)
      t.same(heard, ['trimmed', 4, 5, 6])
    },
  )

  t.test(`${transport}: open says what it is, and comes behind the gap`, async (t) => {
    const bus = memoryBus({ messages: 2 })
    const { app, port } = await build(t, { bus })
    const proxy = await FaultProxy.start(t, port)
    const feed = open(t, proxy.url, { transports, cursor: 'earliest' })
    const heard: unknown[] = []
    feed.onopen = ({ resumed }) => heard.push(resumed)
    feed.ongap = ({ reason }) => heard.push(reason)
    await once(feed, 'open')
    await app.tidings.publish('default', 1)
    await once(feed, 'message')
    await proxy.refuse()
    await once(feed, 'error')
    for (const i of range(2, 9)) await app.tidings.publish('default', i)
    await proxy.accept()
    await once(feed, 'open')
    t.same(heard, [false, 'trimmed', true])
  })

  t.test(`${transport}: a handler that throws is told, and the feed goes on`, async (t) => {
    const { app, url } = await build(t)
    const feed = open(t, url, { transports, cursor: 'earliest' })
    const errors: string[] = []
    for (const type of ['open', 'status', 'message'] as const)
      feed.addEventListener(type, () => {
        throw new Error(type)
      })
    feed.onerror = ({ error }) => errors.push(error.message)
    const taken = new Taken(feed)
    for (const i of range(1, 3)) await app.tidings.publish('default', i)
    t.same(await taken.until(3), [1, 2, 3])
    t.ok(errors.includes('open') && errors.includes('status'))
    t.equal(errors.filter((error) => error === 'message').length, 3)
  })

  t.test(`${transport}: close in any handler ends it there`, async (t) => {
    const { app, port } = await build(t, { retention: { messages: 3 } })
    const proxy = await FaultProxy.start(t, port)
    for (const i of range(1, 6)) await app.tidings.publish('default', i)
    for (const type of ['status', 'open', 'message', 'gap', 'error'] as const) {
      if (type === 'error') await proxy.refuse()
      const feed = open(t, proxy.url, { transports, cursor: 'another.1' })
      const heard: unknown[] = []
      feed.onmessage = ({ data }) => heard.push(data)
      feed.addEventListener(type, () => feed.close())
      await once(feed, 'close')
      t.ok(heard.length <= (type === 'message' ? 1 : 0), `${type}: ${heard}`)
      t.equal(feed.readyState, 3)
    }
  })
}

t.test('with ack manual the cursor moves when the program says so', async (t) => {
  const { app, url } = await build(t)
  for (const i of range(1, 3)) await app.tidings.publish('default', i)
  const feed = open(t, url, { cursor: 'earliest', ack: 'manual' })
  const taken = new Taken(feed)
  await taken.until(3)
  t.match(feed.cursor, /\.0$/)
  t.throws(() => feed.ack({ cursor: 'none' }), TypeError)
  feed.ack({ cursor: taken.cursors[1]! })
  t.equal(feed.cursor, taken.cursors[1])
  const again = new Taken(open(t, url, { cursor: feed.cursor! }))
  t.same(await again.until(1), [3])
  feed.ack({ cursor: taken.cursors[2]! })
  t.equal(feed.cursor, taken.cursors[2])
})

t.test('what a handler throws where nobody listens for errors is left to the platform', async (t) => {
  const { app, url } = await build(t)
  const feed = open(t, url, { transports: ['poll'], cursor: 'earliest' })
  const thrown = new Promise((resolve) => process.once('uncaughtException', resolve))
  feed.onmessage = () => {
    throw 'no error at all'
  }
  await app.tidings.publish('default', 1)
  t.equal(await thrown, 'no error at all')
  const second = new Promise((resolve) => process.once('uncaughtException', resolve))
  feed.onerror = () => {
    throw new Error('twice')
  }
  await app.tidings.publish('default', 2)
  t.match(await second, { message: 'twice' })
})

t.test('an iteration that is dropped does not stop the feed', async (t) => {
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { app, url } = await build(t)
  for (const i of range(1, 50)) await app.tidings.publish('default', i)
  const feed = open(t, url, { transports: ['poll'], cursor: 'earliest', buffer: 5 })
  const taken = new Taken(feed)
  await (async () => void (await feed[Symbol.asyncIterator]().next()))()
  while (taken.data.length < 50) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  t.same(taken.data, range(1, 50))
})

t.test('return settles at once, also while next waits', async (t) => {
  const { url } = await build(t)
  const loop = open(t, url)[Symbol.asyncIterator]()
  const next = loop.next()
  t.same(await loop.return!(), { value: undefined, done: true })
  t.same(await next, { value: undefined, done: true })
})

t.test(
  'an onGap that gives no place ends the feed; one that never settles leaves it to be closed',
  async (t) => {
    const { url } = await build(t)
    const feed = open(t, url, { cursor: 'another.1', onGap: () => 'nowhere' })
    t.match(await once(feed, 'close'), { wasClean: false, reason: /onGap must return a cursor/ })
    const other = open(t, url, { cursor: 'another.1', onGap: () => new Promise(() => {}) })
    await once(other, 'gap')
    other.close()
    t.match(await once(other, 'close'), { wasClean: true })
  },
)

t.test('closed feeds leave nothing on a signal that many share', async (t) => {
  const { url } = await build(t)
  const { signal } = new AbortController()
  for (const _ of range(1, 3)) {
    const feed = open(t, url, { signal })
    feed.close()
    await once(feed, 'close')
  }
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

for (const transport of ['ws', 'sse'] as const) {
  t.test(`${transport}: while onGap is asked the connection stays, whatever retention takes`, async (t) => {
    const { app, port, url } = await build(t, { retention: { messages: 2 } })
    const proxy = await FaultProxy.start(t, port)
    for (const i of range(1, 5)) await app.tidings.publish('default', i)
    const { epoch } = app.tidings.bus.log
    const other = open(t, url, { transports: ['ws'] })
    const beside = new Taken(other)
    await once(other, 'open')
    const answers: ((place: string | undefined) => void)[] = []
    const feed = open(t, proxy.url, {
      transports: [transport],
      cursor: `${epoch}.1`,
      onGap: () => new Promise((resolve) => answers.push(resolve)),
    })
    const taken = new Taken(feed)
    await once(feed, 'gap')
    for (const i of range(6, 12)) {
      await app.tidings.publish('default', i)
      // Each is on its way to all readers before the next takes it out of the log.
      await beside.until(i - 5)
    }
    t.same(taken.data, [])
    t.equal(feed.cursor, `${epoch}.3`)
    answers[0]!(undefined)
    t.same(await taken.until(9), range(4, 12))
    t.same(taken.gaps, ['trimmed'])
    t.equal(proxy.seen.length, 1)
  })

  t.test(`${transport}: another place that onGap gives drops what came behind the hole`, async (t) => {
    const { app, url } = await build(t, { retention: { messages: 2 } })
    for (const i of range(1, 5)) await app.tidings.publish('default', i)
    const { epoch } = app.tidings.bus.log
    let answer = (_place: string) => {}
    const feed = open(t, url, {
      transports: [transport],
      cursor: `${epoch}.1`,
      onGap: () =>
        new Promise<string>((resolve) => {
          answer = resolve
        }),
    })
    const taken = new Taken(feed)
    await once(feed, 'gap')
    await app.tidings.publish('default', 6)
    answer('earliest')
    await taken.until(2)
    await app.tidings.publish('default', 7)
    t.same(await taken.until(3), [5, 6, 7])
  })
}
