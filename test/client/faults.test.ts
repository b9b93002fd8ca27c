import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { ConnectOptions, Feed, Transport } from '../../client/index.ts'
import { build, until } from '../helper.ts'
import { FaultProxy } from '../proxy.ts'
import { type Count, once, open, range, Taken } from './helper.ts'

const ALL: readonly Transport[] = ['ws', 'sse', 'longpoll', 'poll']

interface Line {
  app: FastifyInstance
  proxy: FaultProxy
  feed: Feed<Count>
  taken: Taken<Count>
}

/** A feed behind a proxy, with a first message that it reads from the start. */
async function line(
  t: Test,
  options: ConnectOptions,
  before: (proxy: FaultProxy) => void = () => {},
): Promise<Line> {
  const { app, port } = await build(t, { publish: true, heartbeat: { sse: 50 } })
  const proxy = await FaultProxy.start(t, port)
  before(proxy)
  await app.tidings.publish('default', 1)
  const feed = open(t, proxy.url, { cursor: 'earliest', ...options })
  return { app, proxy, feed, taken: new Taken(feed) }
}

/** What comes next gets through, and nothing is missing or there twice. */
async function exact(t: Test, { app, taken }: Line): Promise<void> {
  const { data } = taken
  const next = Math.max(2, data.length + 1)
  await app.tidings.publish('default', next)
  await taken.until(next)
  t.same(data, range(1, next))
  t.same(taken.gaps, [])
}

for (const transport of ALL) {
  const transports = [transport]

  t.test(`${transport}: connections that are cut`, async (t) => {
    const all = await line(t, { transports })
    await all.taken.until(1)
    all.proxy.cut()
    await exact(t, all)
  })

  t.test(`${transport}: connections that are reset`, async (t) => {
    const all = await line(t, { transports })
    await all.taken.until(1)
    all.proxy.reset()
    await exact(t, all)
  })

  t.test(`${transport}: answers that come late`, async (t) => {
    const all = await line(t, { transports }, (proxy) => {
      proxy.fault = () => ({ kind: 'delay', ms: 30 })
    })
    await all.taken.until(1)
    await exact(t, all)
    t.same(all.taken.errors, [])
  })

  t.test(`${transport}: answers that break off, each a little later`, async (t) => {
    const all = await line(t, { transports, probe: 400 }, (proxy) => {
      proxy.fault = () => ({ kind: 'truncate', bytes: 40 + 97 * proxy.seen.length })
    })
    await all.taken.until(1)
    await exact(t, all)
    t.ok(all.taken.errors.length)
  })

  t.test(`${transport}: nobody listens, until somebody does`, async (t) => {
    const all = await line(t, { transports })
    await all.taken.until(1)
    await all.proxy.refuse()
    await all.app.tidings.publish('default', 2)
    for (const _ of range(1, 3)) await once(all.feed, 'error')
    await all.proxy.accept()
    await all.taken.until(2)
    await exact(t, all)
  })

  t.test(`${transport}: a link that is dead without an end`, async (t) => {
    const all = await line(t, { transports, probe: 300, silence: 300, wait: 1 })
    await all.taken.until(1)
    // Its next request may be on a new connection.
    while (transport === 'longpoll' && all.proxy.count('/longpoll') < 2) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    all.proxy.freeze()
    await exact(t, all)
    t.match(all.taken.errors[0], /nothing came within/)
  })

  t.test(`${transport}: a request that is swallowed`, async (t) => {
    const all = await line(t, { transports, probe: 300 }, (proxy) => {
      proxy.fault = () => (proxy.seen.length === 1 ? { kind: 'swallow' } : undefined)
    })
    await all.taken.until(1)
    await exact(t, all)
    t.same(all.taken.errors, ['nothing came within 300 ms'])
  })

  for (const status of ['502 Bad Gateway', '503 Service Unavailable\r\nRetry-After: 0']) {
    t.test(`${transport}: a proxy that says ${status.slice(0, 3)} for a while`, async (t) => {
      const all = await line(t, { transports }, (proxy) => {
        proxy.fault = () => (proxy.seen.length < 3 ? { kind: 'answer', head: status } : undefined)
      })
      await all.taken.until(1)
      await exact(t, all)
      t.equal(all.taken.errors.length, 2)
    })
  }

  t.test(`${transport}: a proxy that answers with a page of its own`, async (t) => {
    const head = '200 OK\r\nContent-Type: text/html'
    const all = await line(t, { transports }, (proxy) => {
      proxy.fault = () =>
        proxy.seen.length < 2 ? { kind: 'answer', head, body: '<h1>Log in</h1>' } : undefined
    })
    await all.taken.until(1)
    await exact(t, all)
    t.equal(all.taken.errors.length, 1)
  })
}

t.test('a proxy that swallows the upgrade: falls back, and reads on', async (t) => {
  const all = await line(t, { probe: 300 }, (proxy) => {
    proxy.fault = ({ upgrade }) => (upgrade ? { kind: 'swallow' } : undefined)
  })
  await all.taken.until(1)
  await until(() => all.feed.transport === 'sse')
  await exact(t, all)
})

t.test('a proxy that buffers the stream as well: long polls', async (t) => {
  const all = await line(t, { probe: 300 }, (proxy) => {
    proxy.fault = ({ upgrade, path }) => {
      if (upgrade) return { kind: 'answer', head: '400 Bad Request' }
      return path === '/sse' ? { kind: 'buffer' } : undefined
    }
  })
  await all.taken.until(1)
  await until(() => all.feed.transport === 'longpoll')
  await exact(t, all)
})

t.test('a proxy that lets nothing but polls through', async (t) => {
  const all = await line(t, {}, (proxy) => {
    proxy.fault = ({ path }) =>
      path === '/poll' ? undefined : { kind: 'answer', head: '503 Service Unavailable\r\nRetry-After: 0' }
  })
  await all.taken.until(1)
  t.equal(all.feed.transport, 'poll')
  await exact(t, all)
})

t.test('moves up when the better one works again, without a hole', async (t) => {
  let broken = true
  const all = await line(t, { upgradeAfter: 60 }, (proxy) => {
    proxy.fault = ({ path }) =>
      broken && (path === '/ws' || path === '/sse') ? { kind: 'answer', head: '502 Bad Gateway' } : undefined
  })
  await all.taken.until(1)
  t.equal(all.feed.transport, 'longpoll')
  // Both better ones are tried again, and fail again, while the long poll goes on.
  const asked = all.proxy.count('/sse')
  let count = 1
  while (all.proxy.count('/sse') < asked + 2) {
    await all.app.tidings.publish('default', ++count)
    await all.taken.until(count)
  }
  broken = false
  const up = once(all.feed, 'status', ({ transport, readyState }) => transport === 'ws' && readyState === 1)
  let moved = false
  up.then(() => {
    moved = true
  })
  while (!moved) {
    await all.app.tidings.publish('default', ++count)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await all.taken.until(count)
  t.same(all.taken.data, range(1, count))
  await exact(t, all)
  t.equal(all.feed.transport, 'ws')
})

t.test('connections that never live long: the next transport is tried', async (t) => {
  const all = await line(t, { transports: ['ws', 'longpoll'], probe: 1000 })
  while (all.feed.transport === 'ws') {
    await once(all.feed, 'open')
    if (all.feed.transport === 'ws') all.proxy.reset()
  }
  await exact(t, all)
  t.equal(all.feed.transport, 'longpoll')
})

t.test('waits as long as Retry-After says, 5 minutes at most', async (t) => {
  const date = new Date(Date.now() + 3_600_000).toUTCString()
  const all = await line(t, { transports: ['poll'] }, (proxy) => {
    proxy.fault = () => ({ kind: 'answer', head: `503 Service Unavailable\r\nRetry-After: ${date}` })
  })
  const { wait } = await once(all.feed, 'status', ({ wait }) => wait !== undefined)
  t.ok(wait! >= 300_000 && wait! < 301_000)
  t.equal(all.proxy.seen.length, 1)
})

t.test('a publish with a key is tried again until it is answered, and counts once', async (t) => {
  const all = await line(t, { transports: ['ws'] }, (proxy) => {
    proxy.fault = ({ path }) => (path === '/publish' ? { kind: 'truncate', bytes: 10 } : undefined)
  })
  await all.taken.until(1)
  all.feed.switchTo('ws')
  // The answer gets lost with the link; the message does not.
  const socket = all.feed.publish('default', 2, { key: 'two' })
  await all.taken.until(2)
  all.proxy.reset()
  t.match(await socket, { cursor: /\.2$/ })
  await exact(t, all)
})

t.test('a publish by POST: with a key again and again, without one once', async (t) => {
  const all = await line(t, { transports: ['poll'] }, (proxy) => {
    proxy.fault = ({ path }) => {
      if (path !== '/publish') return undefined
      const posts = proxy.count('/publish')
      if (posts < 3) return { kind: 'truncate', bytes: 20 }
      return posts === 3 ? { kind: 'answer', head: '503 Service Unavailable\r\nRetry-After: 0' } : undefined
    }
  })
  await t.rejects(all.feed.publish('default', 2), TypeError)
  await all.taken.until(2)
  await all.feed.publish('default', 3, { key: 'three' })
  t.equal(all.proxy.count('/publish'), 4)
  await exact(t, all)
})

t.test('gives a publish up when its signal says so, or when the feed ends', async (t) => {
  const all = await line(t, { transports: ['poll'], backoff: { base: 100_000, cap: 100_000 } }, (proxy) => {
    proxy.fault = ({ path }) =>
      path === '/publish' ? { kind: 'answer', head: '502 Bad Gateway' } : undefined
  })
  await all.taken.until(1)
  const abort = new AbortController()
  const given = all.feed.publish('default', 2, { key: 'a', signal: abort.signal })
  const open = all.feed.publish('default', 2, { key: 'b', unordered: true })
  while (all.proxy.count('/publish') < 2) await new Promise((resolve) => setImmediate(resolve))
  abort.abort(new Error('enough'))
  await t.rejects(given, { message: 'enough' })
  all.feed.close()
  await t.rejects(open, { message: /502|The feed is closed/ })
})

t.test('a Retry-After that says nothing, and an empty answer without a place', async (t) => {
  const heads = ['503 Service Unavailable\r\nRetry-After: soon', '204 No Content']
  const all = await line(t, { transports: ['poll'] }, (proxy) => {
    proxy.fault = () => {
      const head = heads[proxy.seen.length - 1]
      return head === undefined ? undefined : { kind: 'answer', head }
    }
  })
  await all.taken.until(1)
  await exact(t, all)
  t.same(all.taken.errors, ['the server responded with 503'])
})

t.test('an EventSource that gets nowhere by itself is made anew', async (t) => {
  const { EventSource } = await import('undici')
  const Source = EventSource as unknown as NonNullable<ConnectOptions['EventSource']>
  const all = await line(t, { transports: ['sse'], EventSource: Source, probe: 300 }, (proxy) => {
    proxy.fault = () => (proxy.seen.length === 1 ? { kind: 'truncate', bytes: 0 } : undefined)
  })
  await all.taken.until(1)
  await exact(t, all)
  t.same(all.taken.errors, ['nothing came within 300 ms'])
})

for (const status of ['502 Bad Gateway', '503 Service Unavailable']) {
  t.test(`an EventSource that a ${status.slice(0, 3)} ended for good is made anew`, async (t) => {
    const { EventSource } = await import('undici')
    const Source = EventSource as unknown as NonNullable<ConnectOptions['EventSource']>
    const all = await line(t, { transports: ['sse'], EventSource: Source }, (proxy) => {
      proxy.fault = () => (proxy.seen.length < 3 ? { kind: 'answer', head: status } : undefined)
    })
    await all.taken.until(1)
    await exact(t, all)
    t.same(all.taken.errors, ['the EventSource ended', 'the EventSource ended'])
  })
}
