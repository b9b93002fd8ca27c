import t from 'tap'

import { build } from '../helper.ts'
import { FaultProxy } from '../proxy.ts'
import { foreign, say } from './foreign.ts'
import { once, open, range, Taken } from './helper.ts'

const circular: Record<string, unknown> = {}
circular.self = circular

const MISTAKES: [name: string, channel: unknown, data: unknown, key: unknown][] = [
  ['a BigInt', 'default', 1n, 'k'],
  ['a circular value', 'default', circular, 'k'],
  ['nothing', 'default', undefined, 'k'],
  ['a function', 'default', () => {}, 'k'],
  ['a toJSON that throws', 'default', { toJSON: () => JSON.parse('') }, 'k'],
  ['a key that no header can carry', 'default', 1, 'ключ'],
  ['a key with a line feed', 'default', 1, 'a\nb'],
  ['a key with a space at its end', 'default', 1, 'a '],
  ['an empty key', 'default', 1, ''],
  ['a key that is no string', 'default', 1, 5],
  ['a channel that is none', undefined, 1, 'k'],
]
for (const transport of ['ws', 'poll'] as const) {
  for (const [name, channel, data, key] of MISTAKES) {
    t.test(`${transport}: ${name} rejects at once`, async (t) => {
      const { app, url } = await build(t, { publish: true })
      const feed = open(t, url, { transports: [transport] })
      await once(feed, 'open')
      await t.rejects(feed.publish(channel as string, data, { key: key as string }))
      t.equal(app.tidings.bus.log.head, 0)
      await feed.publish('default', 1)
    })
  }

  t.test(`${transport}: half a character is the same on every way`, async (t) => {
    const { url } = await build(t, { publish: true })
    const taken = new Taken(open<unknown>(t, url, { transports: [transport], cursor: 'earliest' }))
    await once(taken.feed, 'open')
    await taken.feed.publish('default', 'a\ud800b\udc00😀')
    t.same(await taken.until(1), ['a\ufffdb\ufffd😀'])
  })

  t.test(`${transport}: publishes come in the order of the calls`, async (t) => {
    const { port } = await build(t, { publish: true })
    const proxy = await FaultProxy.start(t, port)
    let posts = 0
    proxy.fault = ({ path }) => {
      if (path !== '/publish') return undefined
      posts++
      if (posts === 2) return { kind: 'truncate', bytes: 10 }
      return posts % 3 ? { kind: 'delay', ms: 30 } : { kind: 'answer', head: '502 Bad Gateway' }
    }
    const taken = new Taken(open<unknown>(t, proxy.url, { transports: [transport], cursor: 'earliest' }))
    // Before it is open, and after; small ones and large ones; with keys.
    const first = range(1, 4).map((i) => taken.feed.publish('default', [i], { key: `k${i}` }))
    await once(taken.feed, 'open')
    const rest = range(5, 20).map((i) =>
      taken.feed.publish('default', i % 4 ? [i] : [i, 'x'.repeat(5000)], { key: `k${i}` }),
    )
    await Promise.all([...first, ...rest])
    const data = (await taken.until(20)) as number[][]
    t.same(
      data.map(([i]) => i),
      range(1, 20),
    )
  })
}

t.test(
  'publishes without a key go out on a socket one behind the other, and a large one after them',
  async (t) => {
    const { url } = await build(t, { publish: true })
    const taken = new Taken(open<unknown>(t, url, { transports: ['ws'], cursor: 'earliest' }))
    await once(taken.feed, 'open')
    await Promise.all(range(1, 9).map((i) => taken.feed.publish('default', i === 5 ? 'x'.repeat(6000) : i)))
    const data = await taken.until(9)
    t.same(
      data.map((each) => (typeof each === 'string' ? 5 : each)),
      range(1, 9),
    )
  },
)

t.test('unordered does not wait', async (t) => {
  const { port } = await build(t, { publish: true })
  const proxy = await FaultProxy.start(t, port)
  proxy.fault = ({ path }) =>
    path === '/publish' && proxy.count('/publish') === 1 ? { kind: 'swallow' } : undefined
  const feed = open(t, proxy.url, { transports: ['poll'] })
  const slow = feed.publish('default', 1, { key: 'a' })
  await feed.publish('default', 2, { unordered: true })
  await slow
})

for (const [name, head, body] of [
  ['a page', '200 OK\r\nContent-Type: text/html', '<p>Log in'],
  ['JSON of somebody else', '201 Created\r\nContent-Type: application/json', '{"id":5}'],
  ['408', '408 Request Timeout', ''],
  ['425', '425 Too Early', ''],
  ['404 of a proxy', '404 Not Found', 'nginx'],
  ['403 of a proxy', '403 Forbidden', '<p>no'],
  ['500 of a proxy', '500 Internal Server Error', ''],
  ['504', '504 Gateway Timeout', ''],
] as const) {
  t.test(`${name} is no answer to a publish with a key`, async (t) => {
    const { app, port } = await build(t, { publish: true })
    const proxy = await FaultProxy.start(t, port)
    proxy.fault = ({ path }) =>
      path === '/publish' && proxy.count('/publish') < 3 ? { kind: 'answer', head, body } : undefined
    const feed = open(t, proxy.url, { transports: ['poll'] })
    await t.rejects(feed.publish('default', 0))
    t.match(await feed.publish('default', 1, { key: 'k' }), { cursor: /\.1$/ })
    t.equal(app.tidings.bus.log.head, 1)
  })
}

t.test('a POST that is never answered: without a key it rejects, with one it is sent again', async (t) => {
  const { port } = await build(t, { publish: true })
  const proxy = await FaultProxy.start(t, port)
  proxy.fault = ({ path }) =>
    path === '/publish' && proxy.count('/publish') < 3 ? { kind: 'swallow' } : undefined
  const feed = open(t, proxy.url, { transports: ['poll'], probe: 150 })
  await t.rejects(feed.publish('default', 1), { message: /no response/ })
  await feed.publish('default', 1, { key: 'k' })
})

t.test('a socket that never answers a publish: it rejects', async (t) => {
  const server = await foreign(t, say(404, {}), (ws) => {
    ws.send('{"type":"ready","cursor":"abcd.0"}')
    ws.on('message', (data) => `${data}`.includes('ping') && ws.send('{"type":"pong","cursor":"abcd.0"}'))
  })
  const feed = open(t, server.url, { transports: ['ws'], silence: 300 })
  await once(feed, 'open')
  await t.rejects(feed.publish('default', 1), { message: /no response/ })
})

t.test('a publish that waits in the line is given up by its signal', async (t) => {
  const server = await foreign(t, () => {})
  const feed = open(t, server.url, { transports: ['poll'] })
  const abort = new AbortController()
  const first = feed.publish('default', 1)
  const second = feed.publish('default', 2, { signal: abort.signal })
  const third = feed.publish('default', 3)
  abort.abort(new Error('enough'))
  await t.rejects(second, { message: 'enough' })
  feed.close()
  await t.rejects(third, { message: 'The feed is closed' })
  await t.rejects(first)
})

t.test('a publish with a key is not sent again once the server may have forgotten the key', async (t) => {
  const { app, url } = await build(t, { publish: true, retention: { keyAge: 1 } })
  let posts = 0
  const lossy: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (init?.method !== 'POST') return response
    posts++
    throw new TypeError('the answer is lost')
  }
  const feed = open(t, url, { transports: ['poll'], fetch: lossy, keyAge: 1 })
  await t.rejects(feed.publish('default', 1, { key: 'k' }), { code: 'ERR_KEY_AGE', final: true })
  t.equal(posts, 1)
  t.equal(app.tidings.stats().bus.messages, 1)
})
