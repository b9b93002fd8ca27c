import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { ConnectOptions, Transport } from '../../client/index.ts'
import { memoryBus } from '../../index.ts'
import { build, until } from '../helper.ts'
import { FaultProxy } from '../proxy.ts'
import { once, open, range, Taken } from './helper.ts'

/** What every transport of the client holds to. */
export function transportSuite(t: Test, transport: Transport, more: ConnectOptions = {}): void {
  const options: ConnectOptions = { transports: [transport], ...more }

  t.test('gives what comes after now', async (t) => {
    const { app, url } = await build(t)
    await app.tidings.publish('default', 'before')
    const feed = open<string>(t, url, options)
    const taken = new Taken(feed)
    t.equal(feed.readyState, 0)
    t.equal(feed.cursor, undefined)
    await once(feed, 'open')
    t.equal(feed.readyState, 1)
    t.equal(feed.transport, transport)
    await app.tidings.publish('default', 'after')
    t.same(await taken.until(1), ['after'])
    t.equal(feed.cursor, taken.cursors[0])
    t.match(taken.cursors[0], /\.2$/)
  })

  t.test('gives all that is kept from earliest, in order, more than one answer holds', async (t) => {
    const { app, url } = await build(t)
    for (const i of range(1, 250)) await app.tidings.publish('default', i)
    const taken = new Taken(open(t, url, { ...options, cursor: 'earliest' }))
    t.same(await taken.until(250), range(1, 250))
    await app.tidings.publish('default', 251)
    t.same(await taken.until(251), range(1, 251))
  })

  t.test('gives JSON, text and bytes of several channels as they were published', async (t) => {
    const { app, url } = await build(t)
    const feed = open<unknown>(t, url, { ...options, cursor: 'earliest', channels: ['a', 'b'] })
    const messages: unknown[] = []
    feed.addEventListener('message', ({ channel, data, time }) => messages.push([channel, data, typeof time]))
    const taken = new Taken(feed)
    await app.tidings.publish('a', { news: [1, null] })
    await app.tidings.publish('c', 'not asked for')
    await app.tidings.publish('b', 'text: 你好\r\n\u2028')
    await app.tidings.publish('a', Buffer.from([0, 200, 255]))
    await taken.until(3)
    t.same(messages, [
      ['a', { news: [1, null] }, 'number'],
      ['b', 'text: 你好\r\n\u2028', 'number'],
      ['a', new Uint8Array([0, 200, 255]), 'number'],
    ])
  })

  t.test('goes on from a cursor of another feed', async (t) => {
    const { app, url } = await build(t)
    for (const i of range(1, 4)) await app.tidings.publish('default', i)
    const first = new Taken(open(t, url, { ...options, cursor: 'earliest' }))
    await first.until(4)
    first.feed.close()
    const second = new Taken(open(t, url, { ...options, cursor: first.cursors[1]! }))
    t.same(await second.until(2), [3, 4])
  })

  for (const [reason, seq] of [
    ['trimmed', 1],
    ['ahead', 99],
    ['epoch', 3],
  ] as const) {
    t.test(`tells a gap once, and goes on behind it (${reason})`, async (t) => {
      const bus = memoryBus({ messages: 3 })
      const { app, url } = await build(t, { bus })
      for (const i of range(1, 6)) await app.tidings.publish('default', i)
      const epoch = reason === 'epoch' ? 'another' : bus.log.epoch
      const feed = open(t, url, { ...options, cursor: `${epoch}.${seq}` })
      const taken = new Taken(feed)
      const gap = await once(feed, 'gap')
      t.equal(gap.reason, reason)
      t.equal(gap.from, `${epoch}.${seq}`)
      t.match(gap.advice, /load the current state/)
      t.equal(gap.cursor, `${bus.log.epoch}.${reason === 'ahead' ? 6 : 3}`)
      const kept = reason === 'ahead' ? [] : range(4, 6)
      t.same(await taken.until(kept.length), kept)
      await app.tidings.publish('default', 7)
      t.same(await taken.until(kept.length + 1), [...kept, 7])
      t.same(taken.gaps, [reason])
    })
  }

  t.test('onGap says where to go on, and what comes waits for it', async (t) => {
    const { app, url } = await build(t, { retention: { messages: 3 } })
    for (const i of range(1, 6)) await app.tidings.publish('default', i)
    let answer = (_cursor: string) => {}
    const places: (string | undefined)[] = []
    const feed = open(t, url, {
      ...options,
      cursor: 'another.7',
      onGap: (gap) => {
        places.push(gap.from)
        return new Promise((resolve) => {
          answer = resolve
        })
      },
    })
    const taken = new Taken(feed)
    const { cursor } = await once(feed, 'gap')
    await app.tidings.publish('default', 7)
    t.same(taken.data, [])
    answer(cursor.replace(/\d+$/, '5'))
    t.same(await taken.until(2), [6, 7])
    t.same(places, ['another.7'])
  })

  t.test('loses nothing and repeats nothing when connections are cut, again and again', async (t) => {
    const { app, port } = await build(t)
    const proxy = await FaultProxy.start(t, port)
    const taken = new Taken(open(t, proxy.url, { ...options, cursor: 'earliest', probe: 500 }))
    for (const round of range(0, 2)) {
      for (const i of range(1, 20)) await app.tidings.publish('default', round * 20 + i)
      await taken.until(round * 20 + 10)
      if (round % 2) proxy.reset()
      else proxy.cut()
    }
    t.same(await taken.until(60), range(1, 60))
  })

  t.test('a publish comes back over the same feed', async (t) => {
    const { url } = await build(t, { publish: true })
    const feed = open<unknown>(t, url, { ...options, cursor: 'earliest' })
    const taken = new Taken(feed)
    await once(feed, 'open')
    const first = await feed.publish('default', { n: 1 })
    await feed.publish('default', 'two')
    await feed.publish('default', new Uint8Array([3]).buffer)
    await feed.publish('default', new Uint16Array([4]).subarray(0, 1), { key: 'four' })
    await feed.publish('default', new Uint16Array([4]), { key: 'four' })
    await feed.publish('default', 'x'.repeat(5000))
    await feed.publish('default', new Uint8Array(5000))
    t.same(await taken.until(6), [
      { n: 1 },
      'two',
      new Uint8Array([3]),
      new Uint8Array([4, 0]),
      'x'.repeat(5000),
      new Uint8Array(5000),
    ])
    t.equal(first.cursor, taken.cursors[0])
    await t.rejects(feed.publish('default', 'other', { key: 'four' }), {
      code: 'TIDINGS_ERR_KEY_REUSED',
      final: true,
    })
    await t.rejects(feed.publish('no channel', 'x'), { code: 'TIDINGS_ERR_CHANNEL' })
  })

  t.test('tells each end, finishes a loop with the last, and comes back no more', async (t) => {
    const { app, url } = await build(t)
    const { tidings } = app
    const feed = open<unknown>(t, url, { ...options, channels: ['a', 'b'], cursor: 'earliest' })
    const got: unknown[] = []
    feed.onend = ({ channel, cursor, data }) => got.push({ channel, cursor, data })
    const loop = (async () => {
      for await (const { data } of feed) got.push(data)
    })()
    await once(feed, 'open')
    await tidings.publish('a', 1)
    const bytes = Uint8Array.of(0, 255)
    const first = await tidings.end('a', bytes)
    await once(feed, 'end')
    t.equal(feed.readyState, 1, 'the other goes on')
    await tidings.publish('b', 2)
    const last = await tidings.end('b')
    const closed = await once(feed, 'close')
    await loop
    const told = [
      { channel: 'a', cursor: first.cursor, data: bytes },
      { channel: 'b', cursor: last.cursor, data: undefined },
    ]
    t.same(
      got.filter((each) => typeof each !== 'number'),
      told,
    )
    t.same(
      got.filter((each) => typeof each === 'number'),
      [1, 2],
    )
    t.match([closed, feed.readyState], [{ code: 1000, wasClean: true }, 3])
    await until(() => tidings.bus.log.groups.watching === 0)
  })

  t.test(
    'what came before an end is given before the feed closes, also to a loop that comes late',
    async (t) => {
      const { app, url } = await build(t)
      for (const i of range(1, 150)) await app.tidings.publish('default', i)
      await app.tidings.end('default', 'last')
      const feed = open<unknown>(t, url, { ...options, cursor: 'earliest', buffer: 40 })
      const ended = once(feed, 'end')
      await once(feed, 'open')
      const got: unknown[] = []
      for await (const { data } of feed) got.push(data)
      t.same(got, range(1, 150))
      t.equal((await ended).data, 'last')
      t.equal(feed.readyState, 3)
    },
  )

  t.test('a channel that had ended when the feed began', async (t) => {
    const { app, url } = await build(t)
    await app.tidings.end('default', { n: 1 })
    const feed = open<unknown>(t, url, options)
    // A poll names those that had ended, and no more.
    const data = /poll/.test(transport) ? undefined : { n: 1 }
    t.match(await once(feed, 'end'), { channel: 'default', data })
    t.match(await once(feed, 'close'), { code: 1000 })
  })

  t.test('ends a channel', async (t) => {
    const { app, url } = await build(t, { publish: true })
    const feed = open<unknown>(t, url, { ...options, channels: ['a', 'b', 'c'] })
    await once(feed, 'open')
    const ends: unknown[] = []
    feed.onend = ({ channel, data }) => ends.push([channel, data])
    const { cursor } = await feed.publish('a', undefined, { end: true, key: 'k' })
    t.equal((await feed.publish('a', undefined, { end: true, key: 'k' })).cursor, cursor)
    await feed.publish('b', { n: 2 }, { end: true })
    await t.rejects(feed.publish('a', 'x'), { code: 'TIDINGS_ERR_ENDED' })
    const closed = once(feed, 'close')
    await feed.publish('c', 'x'.repeat(5000), { end: true })
    await closed
    t.same(ends, [
      ['a', undefined],
      ['b', { n: 2 }],
      ['c', 'x'.repeat(5000)],
    ])
    t.equal(app.tidings.bus.log.endOf('b')?.seq, 2)
  })

  t.test('a channel that is added has ended', async (t) => {
    const { app, url } = await build(t)
    await app.tidings.publish('b', 1)
    await app.tidings.end('b', 'last')
    const feed = open<unknown>(t, url, { ...options, channels: ['a'] })
    const taken = new Taken(feed)
    await once(feed, 'open')
    const ended = once(feed, 'end')
    await feed.subscribe('b', { cursor: 'earliest' })
    t.match(await ended, { channel: 'b', data: 'last' })
    t.same(taken.data, [1])
    await app.tidings.publish('a', 2)
    t.same(await taken.until(2), [1, 2])
    const closed = once(feed, 'close')
    await app.tidings.end('a')
    t.match(await closed, { code: 1000 })
  })

  t.test('starts with the last of each channel, and goes on from the midst of it', async (t) => {
    const { app, port } = await build(t, { retention: { messages: 100 } })
    const proxy = await FaultProxy.start(t, port)
    await app.tidings.publish('quiet', 0)
    for (const i of range(1, 300)) await app.tidings.publish(i % 2 ? 'a' : 'b', i)
    const channels = ['quiet', 'a', 'b']
    const first = open(t, proxy.url, { ...options, channels, cursor: 'last:40' })
    let cursor = ''
    for await (const message of first) {
      t.equal(message.data, 0)
      cursor = message.cursor
      break
    }
    first.close()
    const second = open(t, proxy.url, { ...options, channels, cursor, probe: 500 })
    const taken = new Taken(second)
    await taken.until(30)
    proxy.cut()
    t.same(await taken.until(80), range(221, 300))
    await app.tidings.publish('quiet', 301)
    t.same(await taken.until(81), range(221, 301))
    t.same(taken.gaps, [])
  })

  t.test('starts with what was accepted since', async (t) => {
    const { app, url } = await build(t)
    const before = await app.tidings.publish('a', 1)
    let after = before
    for (let i = 2; after.time === before.time; i++) after = await app.tidings.publish('b', i)
    const taken = new Taken(open(t, url, { ...options, channels: ['a', 'b'], cursor: `since:${after.time}` }))
    t.same(await taken.until(1), [after.data])
    await app.tidings.publish('a', 99)
    t.same(await taken.until(2), [after.data, 99])
  })

  t.test('says what the server asks of it once: a query of the address goes along', async (t) => {
    const asked: string[] = []
    const before = (app: FastifyInstance) => app.addHook('onRequest', async ({ url }) => void asked.push(url))
    const { url } = await build(t, {}, { before })
    await once(open(t, `${url}/?token=a%20b`, { ...options, channels: ['x', 'y'] }), 'open')
    t.match(asked[0], `/${transport}?token=a+b&channel=x&channel=y&cursor=now`)
  })

  t.test('a signal closes it', async (t) => {
    const { url } = await build(t)
    const abort = new AbortController()
    const feed = open(t, url, { ...options, signal: abort.signal })
    await once(feed, 'open')
    abort.abort()
    t.equal(feed.readyState, 2)
    t.match(await once(feed, 'close'), { code: 1000, wasClean: true })
    t.equal(feed.readyState, 3)
    await t.rejects(feed.publish('default', 1), { message: 'The feed is closed' })
    t.equal(await feed.switchTo(transport), false)
  })
}
