import type { FastifyInstance } from 'fastify'
import type { BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { Feed } from '../../client/index.ts'
import type { connectShared, SharedOptions } from '../../client/shared/index.ts'
import { openBrowser } from '../browser.ts'
import { cli, startApp, urlFrom } from '../child.ts'
import { type Built, build, post } from '../helper.ts'
import { bundle } from './bundle.ts'
import { range } from './helper.ts'

/** What stands in the page. */
declare const shown: { feed: Feed<number>; data: number[]; gaps: string[]; errors: string[] }
declare const shared: { connectShared: typeof connectShared }
declare const location: { origin: string }
declare const navigator: { locks: { query(): Promise<{ held: { clientId: string }[] }> } }

const JSON_TYPE = { 'content-type': 'application/json' }

/** A tab of that context, which reads. */
async function openTab(
  context: BrowserContext,
  url: string,
  options: SharedOptions = {},
  path = '/',
): Promise<Page> {
  const page = await context.newPage()
  await page.route(`${url}/shared.js`, async (route) =>
    route.fulfill({ contentType: 'text/javascript', body: await bundle('../../client/shared/index.ts') }),
  )
  await page.goto(`${url}${path}`)
  await page.evaluate("import('/shared.js').then((shared) => Object.assign(globalThis, { shared }))")
  await page.evaluate((options) => {
    const feed = shared.connectShared<number>(location.origin, options)
    const shown = { feed, data: [] as number[], gaps: [] as string[], errors: [] as string[] }
    feed.onmessage = ({ data }) => shown.data.push(data)
    feed.ongap = ({ reason }) => shown.gaps.push(reason)
    feed.onerror = ({ error }) => shown.errors.push(error.message)
    Object.assign(globalThis, { shown })
  }, options)
  await page.waitForFunction(() => shown.feed.readyState === 1, undefined, { polling: 20 })
  return page
}

/** What the tab has got once it has so many messages. */
async function got(page: Page, count: number): Promise<{ data: number[]; gaps: string[] }> {
  await page.waitForFunction((count) => shown.data.length >= count, count, { timeout: 30_000, polling: 20 })
  return page.evaluate(() => ({ data: shown.data, gaps: shown.gaps }))
}

/** The tab that holds the lock: the one whose loss of it is seen, of these. */
async function leaderOf(pages: readonly Page[]): Promise<Page> {
  const ids = await Promise.all(
    pages.map((page) =>
      page.evaluate(async () => {
        const own = `own ${Math.random()}`
        const { locks } = navigator as unknown as {
          locks: {
            request(name: string, run: () => Promise<void>): Promise<void>
            query(): Promise<{ held: { name: string; clientId: string }[] }>
          }
        }
        let leads = false
        await locks.request(own, async () => {
          const { held } = await locks.query()
          const id = held.find(({ name }) => name === own)!.clientId
          leads = held.some(({ name, clientId }) => name.startsWith('tidings ') && clientId === id)
        })
        return leads
      }),
    ),
  )
  return pages[ids.indexOf(true)]!
}

/** Between two leaders there is none. */
async function nextLeader(pages: Page[]): Promise<Page> {
  for (;;) {
    const leader = (await leaderOf(pages)) as Page | undefined
    if (leader) return leader
  }
}

async function buildPage(t: Test): Promise<Built> {
  const before = (app: FastifyInstance) =>
    app.get('/', (_request, reply) => reply.type('text/html').send('<p>hi'))
  return build(t, { publish: true, stats: true }, { before })
}

/** Until the server holds so many connections. */
async function held(app: FastifyInstance, count: number): Promise<void> {
  while (app.tidings.bus.log.groups.watching !== count) await new Promise(setImmediate)
}

t.test('in Chromium', async (t) => {
  const browser = await openBrowser(t)
  if (!browser) return
  const newContext = async (t: Test) => {
    const context = await browser.newContext()
    t.teardown(() => context.close())
    return context
  }

  t.test('one connection for all tabs, and each publishes', async (t) => {
    const { app, url } = await buildPage(t)
    const context = await newContext(t)
    const pages = []
    for (let i = 0; i < 4; i++) pages.push(await openTab(context, url))
    await held(app, 1)
    for (const [i, page] of pages.entries()) {
      await page.evaluate((i) => shown.feed.publish('default', i + 1, { key: `${i}` }), i)
    }
    for (const page of pages) t.same(await got(page, 4), { data: range(1, 4), gaps: [] })
    t.equal(app.tidings.bus.log.groups.watching, 1)
  })

  for (const [name, end] of [
    ['closes', (page: Page) => page.close()],
    ['goes elsewhere', (page: Page) => page.goto('about:blank')],
    ['crashes', (page: Page) => page.goto('chrome://crash').catch(() => {})],
  ] as const) {
    t.test(`the leader ${name} in mid-stream: nothing is lost, nothing comes twice`, async (t) => {
      const { app, url } = await buildPage(t)
      const context = await newContext(t)
      const pages: Page[] = []
      for (let i = 0; i < 4; i++) pages.push(await openTab(context, url))
      let number = 0
      let stop = false
      const publishing = (async () => {
        while (!stop) {
          await app.tidings.publish('default', ++number)
          await new Promise((resolve) => setTimeout(resolve, 2))
        }
      })()
      while (pages.length > 1) {
        const leader = await nextLeader(pages)
        const before = number
        pages.splice(pages.indexOf(leader), 1)
        await end(leader)
        // The next one leads once something new has come to all.
        for (const page of pages) await got(page, before + 1)
        await nextLeader(pages)
      }
      stop = true
      await publishing
      t.same(await got(pages[0]!, number), { data: range(1, number), gaps: [] })
    })
  }

  t.test('a frozen leader is replaced; thawed, it has missed nothing', async (t) => {
    const { app, url } = await buildPage(t)
    const context = await newContext(t)
    const pages: Page[] = []
    for (let i = 0; i < 3; i++) pages.push(await openTab(context, url))
    for (const i of range(1, 5)) await app.tidings.publish('default', i)
    for (const page of pages) await got(page, 5)
    const leader = await leaderOf(pages)
    const others = pages.filter((page) => page !== leader)
    const devtools = await context.newCDPSession(leader)
    await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
    for (const i of range(6, 10)) await app.tidings.publish('default', i)
    for (const page of others) t.same(await got(page, 10), { data: range(1, 10), gaps: [] })
    await devtools.send('Page.setWebLifecycleState', { state: 'active' })
    for (const i of range(11, 15)) await app.tidings.publish('default', i)
    for (const page of pages) t.same(await got(page, 15), { data: range(1, 15), gaps: [] })
    await held(app, 1)
  })

  t.test('the server is killed and starts again: one gap in each tab, then all of the new log', async (t) => {
    const { child, url } = await startApp(t)
    const context = await newContext(t)
    const pages: Page[] = []
    for (let i = 0; i < 3; i++) pages.push(await openTab(context, url, {}, '/stats'))
    for (const i of range(1, 3)) await post(`${url}/publish`, `${i}`, JSON_TYPE)
    for (const page of pages) await got(page, 3)
    child.process.kill('SIGKILL')
    await child.ended
    await urlFrom(cli(t, ['--port', new URL(url).port]))
    for (const i of range(4, 6)) await post(`${url}/publish`, `${i}`, JSON_TYPE)
    for (const page of pages) t.same(await got(page, 6), { data: range(1, 6), gaps: ['epoch'] })
  })

  t.test('other credentials, another connection', async (t) => {
    const { app, url } = await buildPage(t)
    const context = await newContext(t)
    await openTab(context, url)
    await openTab(context, url, { identity: 'somebody' })
    await openTab(context, url, { channels: ['other'] })
    await openTab(context, `${url}`, { request: { headers: { authorization: 'a' } } })
    await held(app, 4)
    t.pass('four connections')
  })
})
