/// <reference lib="dom" />
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { serve, urlOf } from '../server.ts'
import { openBrowser } from './browser.ts'
import { post } from './helper.ts'

const TRANSPORTS = ['poll', 'longpoll', 'sse', 'ws']

async function start(t: Test) {
  const app = await serve({ port: 0, logLevel: 'silent' })
  t.teardown(() => app.close())
  return { app, url: urlOf(app) }
}

/** The page, with all four transports at their place; what goes wrong in it is collected. */
async function open(t: Test, browser: Browser, url: string) {
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } })
  t.teardown(() => page.close())
  const faults: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(url).host) faults.push(request.url())
  })
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== new URL(url).host) faults.push(socket.url())
  })
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`)
  })
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      console.error(`CSP: ${violatedDirective} ${blockedURI}`)
    })
  })
  await page.goto(url)
  await placed(page)
  return { page, faults }
}

/** Each transport has its place, and is told of what comes next. */
async function placed(page: Page) {
  for (const each of TRANSPORTS) {
    await page.locator(`[data-transport=${each}] .cursor`, { hasText: /\.[0-9]+$/ }).waitFor()
  }
}

/** What each transport has shown once it has so many: all alike. */
async function shown(page: Page, count: number): Promise<string[][]> {
  const logs: string[][] = []
  for (const each of TRANSPORTS) {
    const items = page.locator(`[data-transport=${each}] li`)
    await items.nth(count - 1).waitFor()
    logs.push(await items.evaluateAll((all) => all.map((item) => item.firstChild!.textContent!)))
  }
  return logs
}

const four = (texts: string[]) => TRANSPORTS.map(() => texts)

t.test('the page', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return

  await t.test('receives over all four what its form publishes, and what others do', async (t) => {
    const { url } = await start(t)
    const { page, faults } = await open(t, browser, url)
    await page.getByLabel('Text').fill('<b>from the form</b> "ü"')
    await page.keyboard.press('Enter')
    await page.getByText(/^Published as [^ ]+\.1$/).waitFor()
    t.equal(await page.getByLabel('Text').inputValue(), '')
    await post(`${url}publish`, '{"a": [1, 12345678901234567890]}', { 'content-type': 'application/json' })
    await post(`${url}publish`, Uint8Array.of(1, 2, 3), { 'content-type': 'application/octet-stream' })
    const expected = ['<b>from the form</b> "ü"', '{"a":[1,12345678901234567000]}', 'bytes: AQID']
    t.same(await shown(page, 3), four(expected))
    for (const each of TRANSPORTS) {
      t.match(await page.locator(`[data-transport=${each}] .cursor`).textContent(), /\.3$/, each)
    }
    t.equal(await page.locator('#latest').textContent(), 'Latest: bytes: AQID')
    t.same(faults, [])
  })

  await t.test('follows another channel', async (t) => {
    const { url } = await start(t)
    const { page, faults } = await open(t, browser, url)
    await post(`${url}publish`, 'of default')
    await shown(page, 1)
    await page.getByLabel('Channel').fill('no such/name')
    await page.getByLabel('Channel').blur()
    t.same(await shown(page, 1), four(['of default']), 'a name that is none changes nothing')
    await page.getByLabel('Channel').fill('news')
    await page.getByLabel('Channel').blur()
    await placed(page)
    await page.getByLabel('Text').fill('of news')
    await page.getByRole('button', { name: 'Publish' }).click()
    t.same(await shown(page, 1), four(['of news']))
    t.same(faults, [])
  })

  await t.test('goes on from its cursors when the app comes back, and tells of the gap', async (t) => {
    const first = await start(t)
    const { page } = await open(t, browser, first.url)
    await post(`${first.url}publish`, 'before')
    await shown(page, 1)
    const port = Number(new URL(first.url).port)
    await first.app.close()
    await page.locator('[data-transport=longpoll] .status.bad').waitFor()

    const second = await serve({ port, logLevel: 'silent' })
    t.teardown(() => second.close())
    await second.tidings.publish('default', 'after')
    const expected = ['before', 'Some messages are missing (epoch)', 'after']
    t.same(await shown(page, 3), four(expected))
  })

  await t.test('loses nothing while nobody looks at it', async (t) => {
    const { app, url } = await start(t)
    const { page } = await open(t, browser, url)
    const look = (state: string) =>
      page.evaluate((visibility) => {
        Object.defineProperty(document, 'visibilityState', { value: visibility, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      }, state)
    await look('hidden')
    for (let i = 0; i < 150; i++) await app.tidings.publish('default', `${i}`)
    await look('visible')
    t.same(await shown(page, 150), four(Array.from({ length: 150 }, (_, i) => `${i}`)))
  })

  await t.test('can be read from 360 to 1600 pixels, in the light and in the dark', async (t) => {
    const { url } = await start(t)
    const { page } = await open(t, browser, url)
    await post(`${url}publish`, 'x'.repeat(500))
    await shown(page, 1)
    for (const width of [360, 800, 1600]) {
      await page.setViewportSize({ width, height: 740 })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      t.equal(wide, width, `nothing stands out at ${width}`)
    }
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await ground()
    await page.emulateMedia({ colorScheme: 'dark' })
    t.not(await ground(), light)
  })
})
