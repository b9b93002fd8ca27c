/// <reference lib="dom" />
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { page as servePage } from '../demo/page.ts'
import { openBrowser } from './browser.ts'
import { ROOT } from './child.ts'
import { build } from './helper.ts'
import { openPage, startPage } from './pages.ts'

const LANES = ['poll', 'longpoll', 'sse', 'ws']
const ARTEFACTS = join(ROOT, '.artefacts')

const lane = (page: Page, name: string) => page.locator(`[data-lane=${name}]`)

/** Each lane has its connection. */
async function live(page: Page) {
  for (const name of LANES) await page.locator(`[data-lane=${name}][data-status="1"]`).waitFor()
}

async function publish(page: Page, text: string) {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
}

/** Until each lane has drawn an arrow with this in it. All at once: an old arrow makes way for new ones. */
async function heard(page: Page, text: string | RegExp) {
  await Promise.all(
    LANES.map((name) => lane(page, name).locator('.arrow.down', { hasText: text }).first().waitFor()),
  )
}

/** A figure in the heading of a lane. */
async function figure(page: Page, name: string, which: string) {
  return lane(page, name).locator(`[data-figure=${which}]`).textContent()
}

/** As if the tab were shown, or not. */
function look(page: Page, state: string) {
  return page.evaluate((visibility) => {
    Object.defineProperty(document, 'visibilityState', { value: visibility, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  }, state)
}

t.test('the page', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  await mkdir(ARTEFACTS, { recursive: true })

  await t.test('has all its parts, in two languages', async (t) => {
    const { page, faults } = await openPage(t, browser, (await startPage(t)).url)
    await live(page)
    for (const summary of await page.locator('details[id] > summary').all()) await summary.click()
    t.equal(await page.locator('details[id][open]').count(), 7)
    await page.locator('#rate').waitFor()
    t.equal(await page.locator('#play').textContent(), 'Play the lesson')
    await page.locator('#talk').getByRole('button', { name: 'Send it both ways' }).click()
    const spent = async (name: string) => {
      const cells = page.locator(`#talk [data-plotted=${name}] [data-talk]`)
      await cells.filter({ hasText: / B$/ }).nth(1).waitFor()
      return (await cells.allTextContents()).map(Number.parseFloat)
    }
    const [post, frame] = [await spent('sse'), await spent('ws')]
    t.same([post[0], frame[0]], [1, 0], 'a request beside the stream, and none on the socket')
    t.ok(frame[1]! < post[1]! / 4 && frame[2]! < post[2]!, `${post} against ${frame}`)
    const code = await page.locator('#talk pre').textContent()
    t.ok(
      (await readFile(join(ROOT, 'README.md'), 'utf8')).includes(`\`\`\`ts\n${code}\`\`\``),
      'as the README has it',
    )
    await page.getByRole('button', { name: '中文' }).click()
    t.equal(await page.locator('html').getAttribute('lang'), 'zh-Hans')
    t.equal(await page.locator('#play').textContent(), '播放演示')
    await page.reload()
    await live(page)
    t.equal(await page.locator('#play').textContent(), '播放演示', 'it is remembered')
    t.same(faults, [])
  })

  await t.test('draws what goes over each lane, and opens its bytes', async (t) => {
    const { url } = await startPage(t)
    const { page, faults } = await openPage(t, browser, url)
    await live(page)
    await publish(page, '<b>"ü"</b>')
    await heard(page, '<b>"ü"</b>')
    await lane(page, 'longpoll').locator('.arrow.up', { hasText: 'I can wait 25 s' }).first().waitFor()

    for (const name of LANES) t.equal(await figure(page, name, 'p99'), '–', 'no hundredth of one')
    await lane(page, 'ws').locator('.act-push button').first().press('Enter')
    const details = page.getByRole('dialog')
    t.match(await details.locator('.frame').textContent(), /FIN1.*0x1 text.*only clients mask.*"data":"<b>/)
    t.match(await details.locator('.hex').textContent(), /^0000 {2}81 /)
    await page.keyboard.press('Escape')
    await lane(page, 'poll').locator('.act-ask button').first().click()
    t.match(await details.locator('.text').textContent(), /^GET \/poll\?.*\r?\nHost: /)
    await details.getByRole('button', { name: 'Close' }).click()

    for (const name of LANES) {
      t.equal(await figure(page, name, 'missed'), '0', name)
      t.equal(await figure(page, name, 'repeated'), '0', name)
      t.match(await figure(page, name, 'mean'), /m?s$/, name)
      await lane(page, name).locator('.more > summary').click()
      await lane(page, name).getByRole('button', { name: 'Reset' }).click()
      await lane(page, name).locator('[data-figure=mean]', { hasText: '–' }).waitFor()
      // A stream and a socket ask no more.
      if (name === 'sse' || name === 'ws') {
        await lane(page, name).locator('[data-figure=requests]', { hasText: /^0$/ }).waitFor()
      }
    }
    t.same(faults, [])
  })

  await t.test('its headings agree with what the server has counted', async (t) => {
    const { url } = await startPage(t)
    const { page } = await openPage(t, browser, url)
    await live(page)
    await publish(page, 'counted')
    await heard(page, 'counted')
    await look(page, 'hidden')
    const counted = async () => {
      const { transports } = (await (await fetch(`${url}stats`)).json()) as {
        transports: Record<string, { requests: number; bytesIn: number; bytesOut: number; open: number }>
      }
      return transports
    }
    while (Object.values(await counted()).some(({ open }) => open > 0));
    const transports = await counted()
    for (const name of LANES) {
      const { requests, bytesIn, bytesOut } = transports[name]!
      await page.waitForFunction(
        ([name, requests, up, down]) => {
          const of = (figure: string) =>
            document.querySelector(`[data-lane=${name}] [data-figure=${figure}]`)!.textContent
          return of('requests') === `${requests}` && of('up') === `${up} B` && of('down') === `${down} B`
        },
        [name, requests, bytesIn, bytesOut] as const,
      )
      t.pass(`${name}: ${requests} requests, ${bytesIn} B up, ${bytesOut} B down`)
    }
  })

  await t.test('its controls cut a lane, add delay, publish at a rate and start the log over', async (t) => {
    const { app, url } = await startPage(t)
    const { page } = await openPage(t, browser, url)
    await live(page)
    await page.locator('#controls > summary').click()
    await page.locator('#interval').fill('200')
    await page.getByRole('button', { name: 'Cut WebSocket' }).click()
    await page.locator('[data-lane=ws][data-status=cut]').waitFor()
    await publish(page, 'while it was cut')
    await lane(page, 'sse').locator('.arrow.down', { hasText: 'while it was cut' }).waitFor()
    await page.getByRole('button', { name: 'Restore WebSocket' }).click()
    await heard(page, 'while it was cut')
    t.equal(await figure(page, 'ws', 'missed'), '0')

    await page.locator('#delay').fill('100')
    await lane(page, 'poll').locator('.cost', { hasText: '100 ms in transit' }).first().waitFor()
    await page.locator('#delay').fill('0')
    await page.locator('#rate').fill('20')
    // A poll brings several at once and shows the first of them, whichever that is.
    await heard(page, /#\d+ …/)
    await page.locator('#rate').fill('0')
    const { epoch } = app.tidings.bus.log
    await page.getByRole('button', { name: 'Restart the log' }).click()
    for (const name of LANES)
      await lane(page, name).getByText('Gap: the log has started over').first().waitFor()
    t.not(app.tidings.bus.log.epoch, epoch)
    await publish(page, 'after all')
    await heard(page, 'after all')
  })

  await t.test('plots what it has measured', async (t) => {
    const { page, faults } = await openPage(t, browser, (await startPage(t)).url)
    await live(page)
    await page.locator('#plots > summary').click()
    await page.locator('.plots canvas').nth(1).waitFor()
    t.equal(await page.locator('#plots .waiting').isVisible(), true)
    t.equal(await page.locator('#plots .u-legend .u-series').count(), 18, 'each line is named')
    await publish(page, 'plotted')
    await page.locator('#plots .waiting').waitFor({ state: 'hidden' })
    await page.locator('#controls > summary').click()
    await page.locator('#interval').fill('200')
    await page.locator('#rate').fill('20')
    // Bytes are no matter of a machine's haste: each lane's come near to what the model says of them.
    await page.waitForFunction(() =>
      [...document.querySelectorAll('[data-plotted]')].every((row) => {
        const [, , measured, theory] = [...row.querySelectorAll('td')].map((cell) =>
          Number(cell.textContent!.replace(' B', '')),
        )
        return Math.abs(measured! / theory! - 1) < 0.15
      }),
    )
    t.same(faults, [])
  })

  await t.test('rests while nobody looks at it, and loses nothing', async (t) => {
    const { app, url } = await startPage(t)
    const { page } = await openPage(t, browser, url)
    await live(page)
    await look(page, 'hidden')
    for (const name of LANES) await page.locator(`[data-lane=${name}][data-status=off]`).waitFor()
    await app.tidings.publish('default', 'meanwhile')
    await look(page, 'visible')
    await heard(page, 'meanwhile')
    await publish(page, 'now')
    // Two that come soon after each other may share an arrow.
    await heard(page, /now|meanwhile.*×/)
    for (const name of LANES) {
      await lane(page, name).locator('[data-figure=mean]', { hasText: 's' }).waitFor()
      // Of several delays they would differ.
      const [mean, median] = [await figure(page, name, 'mean'), await figure(page, name, 'median')]
      t.equal(mean, median, 'time in a hidden tab does not count')
    }
  })

  await t.test(
    'while the server is away nothing is drawn as held, and a panel loads when it is back',
    async (t) => {
      const { app, url } = await startPage(t)
      const port = Number(new URL(url).port)
      const { page } = await openPage(t, browser, url)
      await live(page)
      await lane(page, 'longpoll').locator('.bar.held.going').waitFor()
      await lane(page, 'sse').locator('.bar.open.going').waitFor()
      await lane(page, 'ws').locator('.bar.both.going').waitFor()
      await app.close()
      for (const name of LANES) {
        await lane(page, name).getByText('The server is down').waitFor()
        await lane(page, name).locator('.going').waitFor({ state: 'detached' })
      }
      const panel = page.locator('#controls .panel')
      await page.locator('#controls > summary').click()
      await panel.getByText('could not be loaded').waitFor()
      await panel.getByRole('button', { name: 'Try again' }).click()
      await panel.getByText('could not be loaded').waitFor()
      await page.locator('#plots > summary').click()
      await page.locator('#plots').getByText('could not be loaded').waitFor()

      await startPage(t, { port })
      await page.locator('#rate').waitFor()
      await page.locator('#plots canvas').first().waitFor()
      await live(page)
      await lane(page, 'longpoll').locator('.bar.held.going').waitFor({ state: 'attached' })
    },
  )

  await t.test('notices a further tab', async (t) => {
    const { url } = await startPage(t)
    const { page, context } = await openPage(t, browser, url)
    const other = await context.newPage()
    await other.goto(url)
    await page.getByText('This page is open in 2 tabs').waitFor()
    await other.close()
    t.pass('both have said so')
  })

  await t.test('without the demo it still reads, and says what is not seen', async (t) => {
    const prefix = '/live'
    const { app, url } = await build(
      t,
      { prefix, publish: true },
      { before: (app) => app.register(servePage, { prefix }) },
    )
    const { page, faults } = await openPage(t, browser, `${url}/live/`)
    await live(page)
    t.match(await page.locator('#outcome').textContent(), /does not record its traffic/)
    t.equal(await page.locator('#play').isVisible(), false)
    await app.tidings.publish('default', 'direct')
    await heard(page, 'direct')
    t.equal(await figure(page, 'sse', 'up'), 'not seen')
    t.same(faults, [])
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    await t.test(`fits from 360 to 1600 pixels, in the ${colorScheme}`, async (t) => {
      const { url } = await startPage(t)
      const { page } = await openPage(t, browser, url)
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await live(page)
      await publish(page, 'x'.repeat(300))
      await heard(page, 'xxx')
      for (const name of ['controls', 'plots']) await page.locator(`#${name} > summary`).click()
      await page.locator('.plots canvas').nth(1).waitFor()
      for (const width of [360, 800, 1600]) {
        await page.setViewportSize({ width, height: 900 })
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        t.equal(wide, width, `nothing stands out at ${width}`)
        await page.screenshot({ path: join(ARTEFACTS, `page-${colorScheme}-${width}.png`), fullPage: true })
      }
    })
  }
})
