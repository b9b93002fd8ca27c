/// <reference lib="dom" />
import type { FastifyInstance } from 'fastify'
import type { Browser, Page } from 'playwright-core'
import { createElement as h } from 'react'
import { renderToString } from 'react-dom/server'
import t, { type Test } from 'tap'
import { type FeedOptions, type FeedView, useFeed, useMessages } from '../../client/react/index.ts'
import { MessageReducer } from '../../client/react/message-reducer.ts'
import { FeedStore } from '../../client/react/store.ts'
import type { TidingsOptions } from '../../index.ts'
import { openBrowser } from '../browser.ts'
import { type Built, build } from '../helper.ts'
import { bundle } from './bundle.ts'
import { range, Socket } from './helper.ts'
import type * as Harness from './react-page.ts'

/** What stands in the page. */
declare const app: typeof Harness
declare const feed: FeedView<number>

const QUICK: FeedOptions = { backoff: { base: 20, cap: 100 }, pollInterval: 20 }

async function buildPage(t: Test, options: TidingsOptions = {}): Promise<Built> {
  const before = (app: FastifyInstance) =>
    app.get('/', (_request, reply) => reply.type('text/html').send('<body>'))
  return build(t, { publish: true, ...options }, { before })
}

async function open(t: Test, browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage()
  t.teardown(() => page.close())
  page.on('pageerror', (error) => t.fail(`${error}`))
  page.on('console', (message) => {
    if (message.type() === 'error') t.fail(message.text())
  })
  await page.route(`${url}/app.js`, async (route) =>
    route.fulfill({ contentType: 'text/javascript', body: await bundle('./react-page.ts') }),
  )
  await page.route(`${url}/favicon.ico`, (route) => route.fulfill({ status: 204 }))
  await page.goto(url)
  await page.evaluate("import('/app.js').then((app) => Object.assign(globalThis, { app }))")
  return page
}

async function shows(page: Page, id: string, text: string): Promise<void> {
  await page.waitForFunction(([id, text]) => document.getElementById(id!)?.textContent === text, [id, text], {
    polling: 20,
    timeout: 15_000,
  })
}

/** Connections that the server has seen, over all its time. */
function count(app: FastifyInstance): () => number {
  let seen = 0
  const { groups } = app.tidings.bus.log
  const { of } = groups
  groups.of = (...all) => {
    seen++
    return of.apply(groups, all)
  }
  return () => seen
}

t.test('on the server nothing is connected', async (t) => {
  function List() {
    const feed = useFeed<string>('http://localhost:1/live', { channels: ['a'] })
    const list = useMessages(feed, (list: string[], { data }) => [...list, data], ['none'])
    return h('p', null, `${feed.status} ${feed.transport} ${feed.feed} ${list.join()}`)
  }
  t.equal(renderToString(h(List)), '<p>connecting undefined undefined none</p>')
})

t.test('in Chromium', async (t) => {
  const browser = await openBrowser(t)
  if (!browser) return

  t.test('StrictMode: one connection, each message once, no tearing', async (t) => {
    const { app: server, url } = await buildPage(t)
    const page = await open(t, browser, url)
    const sockets: string[] = []
    page.on('websocket', (socket) => sockets.push(socket.url()))
    await server.tidings.publish('default', 1)
    await page.evaluate(([url, options]) => app.mount({ url, options }), [
      url,
      { ...QUICK, cursor: 'earliest' },
    ] as const)
    await shows(page, 'list', 'open ws 1')
    for (const i of range(2, 100)) await server.tidings.publish('default', i)
    await shows(page, 'list', `open ws ${range(1, 100)}`)
    t.equal(sockets.length, 1)
    t.equal(server.tidings.bus.log.groups.watching, 1)
    t.ok(await page.evaluate(() => app.renders.every(({ same }) => same)))
    // Two readers fold it.
    t.equal(await page.evaluate(() => app.calls.reduce), 200)
    await page.evaluate(() => feed.publish('default', 101, { key: 'k' }))
    await shows(page, 'list', `open ws ${range(1, 101)}`)
    await page.evaluate(() => app.unmount())
    while (server.tidings.bus.log.groups.watching) await new Promise(setImmediate)
  })

  t.test('options that are equal keep the connection; others go on at the cursor', async (t) => {
    const { app: server, url } = await buildPage(t)
    const page = await open(t, browser, url)
    const sockets: string[] = []
    page.on('websocket', (socket) => sockets.push(socket.url()))
    const first = { ...QUICK, channels: ['a'], cursor: 'earliest' }
    await page.evaluate(([url, options]) => app.mount({ url, options }), [url, first] as const)
    await server.tidings.publish('a', 1)
    await shows(page, 'list', 'open ws 1')
    await page.evaluate(([url, options]) => app.render({ url, options }), [url, { ...first }] as const)
    await server.tidings.publish('a', 2)
    await shows(page, 'list', 'open ws 1,2')
    t.equal(sockets.length, 1)
    await server.tidings.publish('b', 3)
    const more = { ...first, channels: ['a', 'b'] }
    await page.evaluate(([url, options]) => app.render({ url, options }), [url, more] as const)
    await server.tidings.publish('b', 4)
    await server.tidings.publish('a', 5)
    await page.waitForFunction(() => app.renders.at(-1)!.data.at(-1) === 5, undefined, { polling: 20 })
    const { data } = await page.evaluate(() => app.renders.at(-1)!)
    t.same(
      data.filter((each) => each !== 3),
      [1, 2, 4, 5],
    )
    t.equal(sockets.length, 2)
    await page.evaluate(() => app.render(undefined))
    await shows(page, 'none', 'none')
    while (server.tidings.bus.log.groups.watching) await new Promise(setImmediate)
  })

  t.test('a render that is thrown away connects nothing', async (t) => {
    const { app: server, url } = await buildPage(t)
    const seen = count(server)
    const page = await open(t, browser, url)
    await page.evaluate(([url, options]) => app.mount({ url, options }, true), [
      url,
      { ...QUICK, cursor: 'earliest' },
    ] as const)
    await server.tidings.publish('default', 1)
    await shows(page, 'wait', 'wait')
    t.equal(seen(), 0)
    await page.evaluate(() => app.release())
    await shows(page, 'late', '1')
    await shows(page, 'ready', 'ready')
    t.equal(server.tidings.bus.log.groups.watching, 1)
  })

  t.test('a gap is shown, and told to the fold', async (t) => {
    const { app: server, url } = await buildPage(t, { retention: { messages: 2 } })
    const page = await open(t, browser, url)
    for (const i of range(1, 5)) await server.tidings.publish('default', i)
    const cursor = `${server.tidings.bus.log.epoch}.1`
    await page.evaluate(([url, options]) => app.mount({ url, options }), [url, { ...QUICK, cursor }] as const)
    await shows(page, 'list', 'open ws 4,5')
    t.match(await page.evaluate(() => app.gaps), [{ reason: 'trimmed', from: cursor, cursor: /\.3$/ }])
    t.match(await page.evaluate(() => feed.gap), { reason: 'trimmed' })
  })
})

/** What a component does with a store, without React. */
async function store(t: Test, server: TidingsOptions = {}, options: FeedOptions = {}) {
  const built = await build(t, server)
  const all = { ...QUICK, WebSocket: Socket, cursor: 'earliest', ...options }
  const store = new FeedStore<number>(built.url, all)
  const fold = new MessageReducer<number, number[]>(store, (list, { data }) => [...list, data], [], {})
  const until = async (so: () => boolean) => {
    while (!so()) await new Promise(setImmediate)
  }
  return { ...built, store, fold, options: all, until }
}

t.test('a watcher that goes and comes back in the same turn keeps the connection', async (t) => {
  const { app, store: feed, fold, until } = await store(t)
  t.equal(feed.view().feed, undefined)
  await t.rejects(feed.view().publish('default', 1), /not connected/)
  feed.watch(() => {})()
  const first = feed.view().feed
  t.teardown(feed.watch(() => {}))
  t.equal(feed.view().feed, first)
  fold.watch(() => {})()
  t.teardown(fold.watch(() => {}))
  await app.tidings.publish('default', 1)
  await until(() => fold.state().length === 1)
  t.equal(feed.view().status, 'open')
  t.equal(app.tidings.bus.log.groups.watching, 1)
})

t.test('one that comes back later goes on where it was', async (t) => {
  const { app, store: feed, fold, until } = await store(t)
  const ends = [fold.watch(() => {}), feed.watch(() => {})]
  await app.tidings.publish('default', 1)
  await until(() => fold.state().length === 1)
  for (const end of ends) end()
  // While it is about to close: not given, not lost.
  await app.tidings.publish('default', 2)
  await until(() => app.tidings.bus.log.groups.watching === 0)
  await app.tidings.publish('default', 3)
  t.teardown(fold.watch(() => {}))
  t.teardown(feed.watch(() => {}))
  await until(() => fold.state().length === 3)
  t.same(fold.state(), [1, 2, 3])
})

t.test('a message that comes while nobody looks is read again', async (t) => {
  const { store: feed, fold, until } = await store(t, {}, { connect: fake })
  const ends = [fold.watch(() => {}), feed.watch(() => {})]
  for (const end of ends) end()
  last.dispatchEvent(Object.assign(new Event('gap'), { reason: 'trimmed', cursor: 'e.1' }))
  last.dispatchEvent(Object.assign(new Event('message'), { cursor: 'e.2', data: 2, channel: 'default' }))
  t.equal(feed.view().feed, undefined)
  t.teardown(fold.watch(() => {}))
  t.teardown(feed.watch(() => {}))
  t.not(feed.view().feed, undefined)
  t.same(fold.state(), [])
  await until(() => true)
})

t.test('a fold that was hidden while its feed went on is told', async (t) => {
  const { app, store: feed, until } = await store(t)
  const gaps: unknown[] = []
  const fold = new MessageReducer<number, number[]>(feed, (list, { data }) => [...list, data], [], {
    channel: 'default',
    onGap: (_state, gap) => {
      gaps.push(gap)
      return []
    },
  })
  const end = fold.watch(() => {})
  t.teardown(feed.watch(() => {}))
  const first = await app.tidings.publish('default', 1)
  await until(() => fold.state().length === 1)
  end()
  const second = await app.tidings.publish('default', 2)
  await until(() => feed.place === second.cursor)
  t.teardown(fold.watch(() => {}))
  t.match(gaps, [{ reason: 'trimmed', from: first.cursor, cursor: second.cursor }])
  t.same(fold.state(), [])
})

t.test(
  'another address or cursor starts anew, another value goes on, functions are taken as they are',
  async (t) => {
    const { app, url, store: feed, fold, options, until } = await store(t)
    feed.update(url, { ...options, wait: 20 })
    t.teardown(feed.watch(() => {}))
    t.teardown(fold.watch(() => {}))
    await app.tidings.publish('default', 1)
    await until(() => fold.state().length === 1)
    const first = feed.view().feed
    feed.update(url, { ...options, wait: 20, onGap: () => undefined, fetch: (...all) => fetch(...all) })
    t.equal(feed.view().feed, first)
    feed.update(url, { ...options, wait: 21, getToken: () => '', onGap: () => undefined })
    t.not(feed.view().feed, first)
    await app.tidings.publish('default', 2)
    await until(() => fold.state().length === 2)
    t.same(fold.state(), [1, 2])
    feed.update(url, { ...options, wait: 21, cursor: 'last:1' })
    feed.update(url, { ...options, wait: 21, cursor: `${app.tidings.bus.log.epoch}.1` })
    await until(() => fold.state().length === 3)
    t.same(fold.state(), [1, 2, 2])
  },
)

t.test('an error and a close are shown', async (t) => {
  const { store: feed, until } = await store(t, { authorize: () => false }, { transports: ['poll'] })
  t.teardown(feed.watch(() => {}))
  await until(() => feed.view().status === 'closed')
  t.ok(feed.view().error)
})

let last: EventTarget
const fake: NonNullable<FeedOptions['connect']> = (() => {
  last = Object.assign(new EventTarget(), { close() {}, cursor: undefined })
  return last
}) as never
