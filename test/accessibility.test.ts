/// <reference lib="dom" />
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import t from 'tap'
import { openBrowser } from './browser.ts'
import { openPage, serveFiles, startPage } from './pages.ts'

const LANES = ['poll', 'longpoll', 'sse', 'ws']
const PANELS = ['controls', 'talk', 'plots', 'handshake', 'socket-api', 'workload', 'endpoints']
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa']
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Whatever axe finds, with where it is. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  return page.evaluate(async (values) => {
    interface Found {
      id: string
      nodes: { html: string; failureSummary: string }[]
    }
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: Found[] }> }
    }
    const { violations } = await axe.run({ runOnly: { type: 'tag', values }, resultTypes: ['violations'] })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}: ${failureSummary}`),
    )
  }, TAGS)
}

/** Each width with each theme and each language, and each theme with each language. */
const LOOKS = [
  { width: 390, colorScheme: 'light', language: 'en' },
  { width: 390, colorScheme: 'dark', language: 'zh' },
  { width: 1440, colorScheme: 'light', language: 'zh' },
  { width: 1440, colorScheme: 'dark', language: 'en' },
] as const

async function inAll(page: Page, look: (where: string) => Promise<void>) {
  for (const { width, colorScheme, language } of LOOKS) {
    await page.setViewportSize({ width, height: 900 })
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.locator(`[data-language=${language}]`).click()
    await look(`${language}, ${colorScheme}, ${width} px`)
  }
}

/** Whether each label of the diagrams that is shown has the lines that it needs. Runs in the page. */
function noWordIsCut(): boolean {
  const labels = [...document.querySelectorAll('#chart :is(.say, .cost)')]
  return (
    labels.length > 0 &&
    labels.every(
      (label) =>
        getComputedStyle(label).visibility === 'hidden' || label.scrollHeight <= label.clientHeight + 1,
    )
  )
}

async function live(page: Page) {
  for (const name of LANES) await page.locator(`[data-lane=${name}][data-status="1"]`).waitFor()
}

t.test('the page conforms to WCAG 2.2 AA, as far as axe can tell', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return

  await t.test('at its start, and with each panel open', async (t) => {
    const { app, url } = await startPage(t)
    const { page } = await openPage(t, browser, url)
    await live(page)
    await app.tidings.publish('default', 'x'.repeat(300))
    for (const name of LANES) {
      await page.locator(`[data-lane=${name}] .arrow.down`, { hasText: 'xxx' }).first().waitFor()
    }
    await inAll(page, async (where) => {
      t.same(await violations(page), [], `at its start, ${where}`)
    })
    for (const panel of PANELS) await page.locator(`#${panel} > summary`).click()
    for (const shown of ['#rate', '#talk pre', '.plots canvas', '.side.response', '.listing', '.verdict']) {
      await page.locator(shown).first().waitFor()
    }
    await inAll(page, async (where) => {
      t.same(await violations(page), [], `all panels, ${where}`)
    })
  })

  await t.test('in the guess, in mid-lesson and at its end', async (t) => {
    const { page } = await openPage(t, browser, `${await serveFiles(t)}?pace=0.05`)
    await page.locator('#play').click()
    await inAll(page, async (where) => {
      t.same(await violations(page), [], `the guess, ${where}`)
    })
    await page.locator('#lesson .guess button').click()
    await page.locator('#chart [data-lane=poll] .caption').nth(1).waitFor()
    await page.locator('#lesson-pause').click()
    await inAll(page, async (where) => {
      t.same(await violations(page), [], `mid-lesson, ${where}`)
    })
    await page.locator('#lesson-pause').click()
    await page.locator('.result').waitFor()
    await inAll(page, async (where) => {
      t.same(await violations(page), [], `the end, ${where}`)
    })
    for (const language of ['en', 'zh']) {
      await page.locator(`[data-language=${language}]`).click()
      for (const width of [390, 1024, 1440]) {
        await page.setViewportSize({ width, height: 900 })
        await t.resolves(page.waitForFunction(noWordIsCut), `no word is cut off, ${language}, ${width} px`)
      }
    }
  })

  await t.test('with forced colours the lifelines and a pressed button are to be seen', async (t) => {
    const { page } = await openPage(t, browser, (await startPage(t)).url)
    await page.emulateMedia({ forcedColors: 'active' })
    await live(page)
    const seen = await page.evaluate(() => {
      const of = (selector: string, pseudo?: string) =>
        getComputedStyle(document.querySelector(selector)!, pseudo)
      const line = of('#chart ol[data-lane=poll]', '::before')
      const pressed = of('[data-language=en]')
      const other = of('[data-language=zh]')
      const bar = of('.bar', '::after')
      const page = of('body').backgroundColor
      return {
        lifelines: [line.borderLeftStyle, line.borderLeftWidth, line.borderLeftColor !== page],
        pressed: pressed.backgroundColor !== other.backgroundColor && pressed.backgroundColor !== page,
        text: pressed.color !== pressed.backgroundColor,
        bar: bar.backgroundColor !== page,
      }
    })
    t.same(seen, { lifelines: ['solid', '1px', true], pressed: true, text: true, bar: true })
  })

  await t.test('the wheel goes to the page, until the reader has stopped the picture', async (t) => {
    const { page } = await openPage(t, browser, `${await serveFiles(t)}?pace=0.05`)
    await page.setViewportSize({ width: 1440, height: 500 })
    await page.locator('#play').click()
    await page.locator('#lesson .guess button').click()
    await page.locator('.result').waitFor()
    await page.locator('#lesson-next').click()
    await page.evaluate(() => scrollTo(0, 0))
    await page.locator('#chart').hover({ position: { x: 5, y: 5 } })
    await page.mouse.wheel(0, 200)
    await page.waitForFunction(() => scrollY > 0)
    t.pass('over a lane, the page has scrolled')
  })

  await t.test('following stops when the reader scrolls, and goes on when asked to', async (t) => {
    const { app, url } = await startPage(t)
    const { page } = await openPage(t, browser, url)
    await live(page)
    const chart = page.locator('#chart')
    const high = () =>
      chart.evaluate((box) => box.scrollHeight > box.clientHeight + 100 && box.scrollTop > 100)
    // Those that come in quick succession share an arrow.
    while (!(await high())) await app.tidings.publish('default', 'one more')
    await page.locator('#chart [data-lane=ws] button').last().focus()
    await chart.evaluate((box) => {
      box.scrollTop = 0
    })
    await page.locator('#chart.paused').waitFor()
    t.equal(await page.locator('#hold').textContent(), 'Follow')
    await page.locator('#hold').click()
    await page.locator('#chart:not(.paused)').waitFor()
    await page.waitForFunction(() => document.querySelector('#chart')!.scrollTop > 0)
    t.equal(await page.locator('#hold').textContent(), 'Pause')
  })

  await t.test('an address opens a panel, and chooses the language', async (t) => {
    const { page, faults } = await openPage(t, browser, `${(await startPage(t)).url}?lang=zh#handshake`)
    await page.locator('#handshake[open] .side.response').waitFor()
    t.equal(await page.locator('html').getAttribute('lang'), 'zh-Hans')
    t.equal(await page.locator('#play').textContent(), '播放演示')
    t.same(faults, [])
  })
})
