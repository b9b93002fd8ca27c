import type { FastifyInstance } from 'fastify'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { ConnectOptions, connect, Feed, Transport } from '../../client/index.ts'
import { openBrowser } from '../browser.ts'
import { cli, startApp, urlFrom } from '../child.ts'
import { type Built, build, post } from '../helper.ts'
import { type Fault, FaultProxy } from '../proxy.ts'
import { bundle } from './bundle.ts'
import { range } from './helper.ts'

const ALL: readonly Transport[] = ['ws', 'sse', 'longpoll', 'poll']
/** What stands in the page. */
declare const shown: { feed: Feed<number>; data: number[]; gaps: string[] }
declare const client: { connect: typeof connect }
declare const location: { origin: string }
declare const sessionStorage: Record<string, string>

/** A page of that origin with the client in it. */
async function openPage(t: Test, browser: Browser, url: string, path = '/'): Promise<Page> {
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const page = await context.newPage()
  const body = await bundle('../../client/index.ts')
  await page.route(`${url}/client.js`, (route) => route.fulfill({ contentType: 'text/javascript', body }))
  await page.goto(`${url}${path}`)
  await page.evaluate("import('/client.js').then((client) => Object.assign(globalThis, { client }))")
  return page
}

/** An app with a page: one that the test would make up is none of the local network, and may not open sockets there. */
async function buildPage(t: Test): Promise<Built> {
  const before = (app: FastifyInstance) =>
    app.get('/', (_request, reply) => reply.type('text/html').send('<p>hi'))
  return build(t, {}, { before })
}

/** Begins to read, from the start. */
async function read(page: Page, options: ConnectOptions & { native?: boolean } = {}): Promise<void> {
  await page.evaluate(({ native, ...options }) => {
    const feed = client.connect<number>(location.origin, {
      cursor: 'earliest',
      backoff: { base: 20, cap: 100 },
      pollInterval: 20,
      ...options,
      ...(native && { EventSource: (globalThis as unknown as ConnectOptions).EventSource! }),
    })
    const shown = { feed, data: [] as number[], gaps: [] as string[] }
    feed.onmessage = ({ data }) => shown.data.push(data)
    feed.ongap = ({ reason }) => shown.gaps.push(reason)
    Object.assign(globalThis, { shown })
  }, options)
}

/** What the page has got once it has so many messages. */
async function got(
  page: Page,
  count: number,
): Promise<{ data: number[]; gaps: string[]; transport: string }> {
  await page.waitForFunction((count) => shown.data.length >= count, count, { timeout: 15_000, polling: 20 })
  return page.evaluate(() => ({ data: shown.data, gaps: shown.gaps, transport: shown.feed.transport }))
}

t.test('Chromium', async (t) => {
  const browser = await openBrowser(t)
  if (!browser) return

  /** The answers of the four routes alone go through the fault. */
  const faulty = (proxy: FaultProxy, fault: () => Fault | undefined) => {
    proxy.fault = ({ path }) => (ALL.some((transport) => path === `/${transport}`) ? fault() : undefined)
  }
  const lines: [name: string, transport: Transport, native: boolean][] = [
    ...ALL.map((transport): [string, Transport, boolean] => [transport, transport, false]),
    ['sse by EventSource', 'sse', true],
  ]
  const faults: [
    name: string,
    before: (proxy: FaultProxy) => void,
    during: (proxy: FaultProxy) => unknown,
  ][] = [
    ['connections that are cut', () => {}, (proxy) => proxy.cut()],
    ['connections that are reset', () => {}, (proxy) => proxy.reset()],
    ['answers that come late', (proxy) => faulty(proxy, () => ({ kind: 'delay', ms: 20 })), () => {}],
    [
      'answers that break off',
      (proxy) => faulty(proxy, () => ({ kind: 'truncate', bytes: 100 * proxy.seen.length })),
      () => {},
    ],
    [
      'a proxy that says 502, then 503',
      (proxy) => {
        const heads = ['502 Bad Gateway', '503 Service Unavailable\r\nRetry-After: 0']
        faulty(proxy, () => {
          const head = heads.shift()
          return head === undefined ? undefined : { kind: 'answer', head }
        })
      },
      () => {},
    ],
    [
      'nobody listens, until somebody does',
      () => {},
      async (proxy) => {
        await proxy.refuse()
        await proxy.accept()
      },
    ],
  ]

  for (const [name, transport, native] of lines) {
    for (const [fault, before, during] of faults) {
      t.test(`${name}: ${fault}`, async (t) => {
        const { app, port } = await buildPage(t)
        const proxy = await FaultProxy.start(t, port)
        before(proxy)
        for (const i of range(1, 3)) await app.tidings.publish('default', i)
        const page = await openPage(t, browser, proxy.url)
        await read(page, { transports: [transport], native, probe: 500 })
        await got(page, 3)
        await during(proxy)
        for (const i of range(4, 6)) await app.tidings.publish('default', i)
        t.same(await got(page, 6), { data: range(1, 6), gaps: [], transport })
      })
    }
  }

  t.test('a proxy that swallows the upgrade and buffers the stream: long polls', async (t) => {
    const { app, port } = await buildPage(t)
    const proxy = await FaultProxy.start(t, port)
    proxy.fault = ({ upgrade, path }) => {
      if (upgrade) return { kind: 'swallow' }
      return path === '/sse' ? { kind: 'buffer' } : undefined
    }
    await app.tidings.publish('default', 1)
    const page = await openPage(t, browser, proxy.url)
    await read(page, { probe: 300 })
    await page.waitForFunction(() => shown.feed.transport === 'longpoll' && shown.feed.readyState === 1)
    t.same(await got(page, 1), { data: [1], gaps: [], transport: 'longpoll' })
    t.match(await page.evaluate(() => Object.values({ ...sessionStorage })), ['longpoll'])
  })

  t.test('offline, then online', async (t) => {
    const { app, port } = await buildPage(t)
    const proxy = await FaultProxy.start(t, port)
    const page = await openPage(t, browser, proxy.url)
    await app.tidings.publish('default', 1)
    await read(page, { transports: ['longpoll'], wait: 1, backoff: { base: 1e9, cap: 1e9 } })
    await got(page, 1)
    await page.context().setOffline(true)
    await page.waitForFunction(() => shown.feed.readyState === 0)
    await app.tidings.publish('default', 2)
    await page.context().setOffline(false)
    t.same((await got(page, 2)).data, [1, 2])
  })

  t.test('a policy of the page that allows no sockets costs no wait', async (t) => {
    const before = (app: FastifyInstance) =>
      app.get('/', (_request, reply) =>
        reply
          .header(
            'content-security-policy',
            `default-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src http:`,
          )
          .type('text/html')
          .send('<p>hi'),
      )
    const { app, url } = await build(t, {}, { before })
    await app.tidings.publish('default', 1)
    const page = await openPage(t, browser, url)
    // Each transport that says nothing would take a minute.
    await read(page, { probe: 60_000, transports: ['ws', 'sse'] })
    t.same(await got(page, 1), { data: [1], gaps: [], transport: 'sse' })
  })

  t.test('sse over HTTP/1.1 warns once of the six connections', async (t) => {
    const { app, url } = await buildPage(t)
    await app.tidings.publish('default', 1)
    const page = await openPage(t, browser, url)
    const warnings: string[] = []
    page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()))
    for (const _ of range(1, 2)) {
      await read(page, { transports: ['sse'] })
      await got(page, 1)
    }
    t.equal(warnings.length, 1)
    t.match(warnings[0], /HTTP\/1\.1/)
  })

  for (const transport of ALL) {
    t.test(`${transport}: a page that is looked at again finds out that its link is dead`, async (t) => {
      const { app, port } = await buildPage(t)
      const proxy = await FaultProxy.start(t, port)
      await app.tidings.publish('default', 1)
      const page = await openPage(t, browser, proxy.url)
      await read(page, { transports: [transport], probe: 300, silence: 600_000, wait: 50 })
      await got(page, 1)
      // So old is what is made anew.
      await page.waitForTimeout(400)
      proxy.freeze()
      await app.tidings.publish('default', 2)
      await page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
      t.same(await got(page, 2), { data: [1, 2], gaps: [], transport })
    })
  }

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    t.test(`the server ends by ${signal} and starts again: one gap, then all of the new log`, async (t) => {
      const { child, url } = await startApp(t)
      const json = { 'content-type': 'application/json' }
      const pages: Page[] = []
      for (const [, transport, native] of lines) {
        // Not the app's own page, whose four lanes would come back together with the one that is tested.
        const page = await openPage(t, browser, url, '/stats')
        await read(page, { transports: [transport], native })
        pages.push(page)
      }
      for (const i of range(1, 3)) await post(`${url}/publish`, `${i}`, json)
      for (const page of pages) await got(page, 3)
      child.process.kill(signal)
      await child.ended
      await urlFrom(cli(t, ['--port', new URL(url).port]))
      for (const i of range(4, 6)) await post(`${url}/publish`, `${i}`, json)
      for (const page of pages) t.match(await got(page, 6), { data: range(1, 6), gaps: ['epoch'] })
    })
  }
})
