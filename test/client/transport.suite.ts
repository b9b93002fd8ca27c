import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { ConnectOptions, Transport } from '../../client/index.ts'
import { memoryBus } from '../../index.ts'
import { build } from '../helper.ts'
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
      t.match(gap.advice, /load the present state/)
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
