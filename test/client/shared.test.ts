import t, { type Test } from 'tap'
import type { Feed } from '../../client/index.ts'
import { connectShared, type SharedOptions } from '../../client/shared/index.ts'
import type { TidingsOptions } from '../../index.ts'
import { type Built, build } from '../helper.ts'
import { FaultProxy } from '../proxy.ts'
import { type Count, once, QUICK, range, Taken } from './helper.ts'
import { installLocks } from './locks.ts'

/*
 * Several tabs in one process: each call of connectShared has a channel of its own and waits for the lock like a tab.
 * The same in Chromium, with tabs that crash and freeze, is in shared-chromium.test.ts.
 */

t.test('without Web Locks it is connect', { skip: 'locks' in (globalThis.navigator ?? {}) }, async (t) => {
  const { app, url } = await build(t)
  const feeds = [share(t, url), share(t, url)]
  for (const feed of feeds) await once(feed, 'open')
  t.equal(app.tidings.bus.log.groups.watching, 2)
})

t.test('options that can not be used', async (t) => {
  installLocks()
  t.throws(
    () => connectShared('http://localhost', { getToken: () => '' }),
    /^Option 'identity' must name the owner/,
  )
  t.throws(() => connectShared('http://localhost', { transports: [] }), /^Option 'transports'/)
})

function share<T = Count>(t: Test, url: string, options: SharedOptions = {}): Feed<T> {
  const feed = connectShared<T>(url, { ...QUICK, ...options })
  t.teardown(() => feed.close())
  return feed
}

const OPTIONS: TidingsOptions = { publish: true, stats: true }

async function tabs(
  t: Test,
  count: number,
  options: SharedOptions = {},
  server: TidingsOptions = {},
): Promise<Built & { taken: Taken<Count>[] }> {
  installLocks()
  const built = await build(t, { ...OPTIONS, ...server })
  const taken = range(1, count).map(() => new Taken(share(t, built.url, options)))
  await Promise.all(taken.map(({ feed }) => once(feed, 'open')))
  return { ...built, taken }
}

/** Connections that are held at the server. */
async function held(url: string): Promise<number> {
  const { transports } = (await (await fetch(`${url}/stats`)).json()) as {
    transports: { [transport: string]: { open: number } }
  }
  return Object.values(transports).reduce((sum, { open }) => sum + open, 0)
}

for (const transport of ['ws', 'sse', 'longpoll', 'poll'] as const) {
  t.test(`one connection over ${transport} for all`, async (t) => {
    const { app, url, taken } = await tabs(t, 4, { transports: [transport] })
    for (const i of range(1, 20)) await app.tidings.publish('default', i)
    for (const each of taken) {
      t.same(await each.until(20), range(1, 20))
      t.equal(each.feed.transport, transport)
      t.equal(each.feed.readyState, 1)
    }
    t.ok((await held(url)) <= 1)
    t.same(new Set(taken.map(({ feed }) => feed.cursor)).size, 1)
  })
}

t.test('the leader closes in mid-stream', async (t) => {
  const { app, taken } = await tabs(t, 4)
  for (const i of range(1, 60)) {
    if (i % 20 === 0) taken.shift()!.feed.close()
    await app.tidings.publish('default', i)
  }
  t.same(await taken[0]!.until(60), range(1, 60))
  t.same(taken[0]!.gaps, [])
})

t.test('all close, and nothing is left', async (t) => {
  const { app, taken } = await tabs(t, 3)
  const closed = taken.map(({ feed }) => once(feed, 'close'))
  for (const { feed } of taken) feed.close()
  await Promise.all(closed)
  while (app.tidings.bus.log.groups.watching) await new Promise(setImmediate)
  t.pass('no reader is left')
})

t.test('a tab starts at its own place', async (t) => {
  const { app, url, taken } = await tabs(t, 1)
  for (const i of range(1, 250)) await app.tidings.publish('default', i)
  await taken[0]!.until(250)
  const earliest = new Taken(share(t, url, { cursor: 'earliest' }))
  t.same(await earliest.until(250), range(1, 250))
  const later = new Taken(share(t, url, { cursor: earliest.cursors[99]! }))
  t.same(await later.until(150), range(101, 250))
  const now = new Taken(share(t, url))
  await once(now.feed, 'open')
  await app.tidings.publish('default', 251)
  t.same(await now.until(1), [251])
  for (const each of [taken[0]!, earliest]) t.same(await each.until(251), range(1, 251))
  t.same(await later.until(151), range(101, 251))
})

t.test('a place that was passed without a message for it', async (t) => {
  const { app, url, taken } = await tabs(t, 1, { transports: ['poll'], silence: 40 })
  const first = await app.tidings.publish('default', 1)
  await app.tidings.publish('other', 2)
  const last = await app.tidings.publish('other', 3)
  while (taken[0]!.feed.cursor !== last.cursor) await new Promise(setImmediate)
  const later = new Taken(share(t, url, { cursor: first.cursor, transports: ['poll'] }))
  await once(later.feed, 'open')
  await app.tidings.publish('default', 4)
  t.same(await later.until(1), [4])
  t.same(await taken[0]!.until(2), [1, 4])
})

t.test('tabs that ask for different things do not share', async (t) => {
  const { app, url } = await tabs(t, 2)
  await once(share(t, url, { channels: ['a', 'b'] }), 'open')
  await once(share(t, url, { channels: ['b', 'a', 'b'] }), 'open')
  await once(share(t, url, { request: { headers: { authorization: 'a' } } }), 'open')
  await once(share(t, url, { identity: 'somebody' }), 'open')
  await once(share(t, `${url}/?token=1`), 'open')
  t.equal(app.tidings.bus.log.groups.watching, 5)
})

t.test('publishes go through the leader, and are answered', async (t) => {
  const { app, url } = await tabs(t, 1, {}, {})
  const feed = share<unknown>(t, url)
  const taken = new Taken(feed)
  await once(feed, 'open')
  const { cursor } = await feed.publish('default', { a: [1] })
  await feed.publish('default', 'text 你好', { key: 'k' })
  t.match(await feed.publish('default', 'text 你好', { key: 'k' }), { cursor: /\.2$/ })
  await feed.publish('default', new Uint8Array([0, 200, 255]))
  await feed.publish('default', 'x'.repeat(20_000))
  t.same(await taken.until(4), [{ a: [1] }, 'text 你好', new Uint8Array([0, 200, 255]), 'x'.repeat(20_000)])
  t.equal(taken.cursors[0], cursor)
  await t.rejects(feed.publish('no such name!', 1), { code: 'TIDINGS_ERR_CHANNEL' })
  await t.rejects(feed.publish('default', 1n), TypeError)
  t.equal(app.tidings.bus.log.head, 4)
})

t.test('publishes with a key, while leaders close one by one, count once', async (t) => {
  const { app, taken } = await tabs(t, 4)
  const last = taken.at(-1)!
  const answers = range(1, 40).map(async (i) => {
    const answer = await last.feed.publish('default', i, { key: `${i}` })
    if (i % 10 === 0 && i < 40) taken.shift()!.feed.close()
    return answer
  })
  const cursors = (await Promise.all(answers)).map(({ cursor }) => cursor)
  t.same(
    [...(await last.until(40))].sort((a, b) => a - b),
    range(1, 40),
  )
  t.equal(app.tidings.bus.log.head, 40)
  t.same([...last.cursors].sort(), cursors.sort())
})

t.test('what a closing tab has published is answered', async (t) => {
  const { app, taken } = await tabs(t, 3)
  for (const { feed } of [...taken].reverse()) {
    const answer = feed.publish('default', 1)
    feed.close()
    t.match(await answer, { cursor: /\.\d+$/ })
  }
  t.equal(app.tidings.bus.log.head, 3)
})

t.test('a leader that closes answers what the others have asked of it', async (t) => {
  const { app, taken } = await tabs(t, 2)
  const { publish } = app.tidings.bus
  let go = () => {}
  const asked = new Promise<void>((resolve) => {
    app.tidings.bus.publish = async function (...all) {
      resolve()
      await new Promise<void>((resolve) => {
        go = resolve
      })
      return publish.apply(this, all)
    }
  })
  const answer = taken[1]!.feed.publish('default', 1)
  await asked
  const closed = once(taken[0]!.feed, 'close')
  taken[0]!.feed.close()
  await closed
  go()
  t.match(await answer, { cursor: /\.1$/ })
})

t.test('a hole is told to each tab, from its own place', async (t) => {
  installLocks()
  const { app, port } = await build(t, { ...OPTIONS, retention: { messages: 5 } })
  const proxy = await FaultProxy.start(t, port)
  const taken = range(1, 3).map(() => new Taken(share(t, proxy.url)))
  const froms: unknown[] = []
  for (const { feed } of taken) {
    feed.addEventListener('gap', ({ from, cursor }) => froms.push([from, cursor]))
  }
  await Promise.all(taken.map(({ feed }) => once(feed, 'open')))
  const { cursor } = await app.tidings.publish('default', 1)
  for (const each of taken) await each.until(1)
  await proxy.refuse()
  for (const i of range(2, 10)) await app.tidings.publish('default', i)
  await proxy.accept()
  for (const each of taken) {
    t.same(await each.until(6), [1, 6, 7, 8, 9, 10])
    t.same(each.gaps, ['trimmed'])
    t.ok(each.errors.length)
  }
  t.same(froms, Array(3).fill([cursor, cursor.replace(/1$/, '5')]))
})

t.test('an unknown epoch, and a hole of the tab alone', async (t) => {
  const { app, url, taken } = await tabs(t, 1, {}, { retention: { messages: 5 } })
  for (const i of range(1, 10)) await app.tidings.publish('default', i)
  await taken[0]!.until(10)
  const { epoch } = app.tidings.bus.log
  for (const [cursor, gap] of [
    ['other.3', 'epoch'],
    [`${epoch}.2`, 'trimmed'],
    [`${epoch}.99`, 'ahead'],
  ] as const) {
    const one = new Taken(share(t, url, { cursor }))
    const kept = gap === 'ahead' ? [] : range(6, 10)
    await once(one.feed, 'gap')
    t.same(await one.until(kept.length), kept)
    t.same(one.gaps, [gap])
    one.feed.close()
  }
})

t.test('a refusal that is final closes every tab', async (t) => {
  installLocks()
  const { url } = await build(t, { authorize: () => false })
  const feeds = [share(t, url), share(t, url)]
  const closed = feeds.map((feed) => once(feed, 'close', ({ wasClean }) => !wasClean))
  t.match(await Promise.all(closed), [{ wasClean: false }, { wasClean: false }])
})

t.test('goes over to another transport for all', async (t) => {
  const { app, taken } = await tabs(t, 3)
  t.equal(await taken[2]!.feed.switchTo('sse'), true)
  await app.tidings.publish('default', 1)
  for (const each of taken) {
    t.same(await each.until(1), [1])
    t.equal(each.feed.transport, 'sse')
  }
  await t.rejects(
    share(t, 'http://localhost', { transports: ['poll'] }).switchTo('ws'),
    /^Option 'transports' has no 'ws'/,
  )
  await t.rejects(taken[0]!.feed.subscribe('more'), /channels of a shared feed are fixed/)
  await t.rejects(taken[0]!.feed.unsubscribe('default'), /channels of a shared feed are fixed/)
})

t.test('status and errors name the transport that carries', async (t) => {
  const { taken } = await tabs(t, 2, { transports: ['sse'] })
  for (const { statuses } of taken) {
    t.ok(statuses.length)
    t.ok(statuses.every((status) => status.startsWith('sse ')))
  }
})

t.test('a slow loop stops its own tab alone', async (t) => {
  const { app, url, taken } = await tabs(t, 1)
  const slow = share(t, url, { buffer: 2, cursor: 'earliest' })
  const got: number[] = []
  const loop = (async () => {
    for await (const { data } of slow) {
      got.push(data)
      if (got.length === 50) return
      await new Promise(setImmediate)
    }
  })()
  for (const i of range(1, 50)) await app.tidings.publish('default', i)
  t.same(await taken[0]!.until(50), range(1, 50))
  await loop
  t.same(got, range(1, 50))
})

t.test('an idle tab is told by a ping that its leader lives', async (t) => {
  const { app, taken } = await tabs(t, 2, { silence: 40 })
  const head = await app.tidings.publish('other', 1)
  while (taken.some(({ feed }) => feed.cursor !== head.cursor)) await new Promise(setImmediate)
  await app.tidings.publish('default', 1)
  for (const each of taken) t.same(await each.until(1), [1])
})

t.test(
  'a holder of the lock that says nothing is replaced, and one that comes back steps down',
  async (t) => {
    installLocks()
    const { app, url } = await build(t, OPTIONS)
    const { locks } = navigator as unknown as { locks: LocksLike }
    const { request } = locks
    let name = ''
    locks.request = (...all) => {
      name = all[0]
      return request.apply(locks, all)
    }
    t.teardown(() => {
      locks.request = request
    })
    const first = share(t, url)
    await once(first, 'open')
    const closed = once(first, 'close')
    first.close()
    await closed

    // A frozen tab keeps its lock.
    let stolen = () => {}
    const robbed = new Promise<void>((resolve) => {
      stolen = resolve
    })
    await new Promise<void>((held) => {
      request.call(locks, name, {}, () => new Promise(() => held())).catch(stolen)
    })
    const taken = range(1, 2).map(() => new Taken(share(t, url)))
    await robbed
    for (const { feed } of taken) if (feed.readyState !== 1) await once(feed, 'open')
    await app.tidings.publish('default', 1)
    for (const each of taken) t.same(await each.until(1), [1])

    // The leader is taken for frozen: it hears of it, closes its connection, and waits for its turn.
    await request.call(locks, name, { steal: true }, () => Promise.resolve())
    await Promise.all(taken.map(({ feed }) => once(feed, 'open')))
    await app.tidings.publish('default', 2)
    for (const each of taken) t.same(await each.until(2), [1, 2])
    t.equal(await held(url), 1)
  },
)

interface LocksLike {
  request(name: string, options: { steal?: boolean }, run: () => Promise<void>): Promise<void>
}
