/// <reference lib="dom" />
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { serve, urlOf } from '../demo/server.ts'

/*
 * Takes pictures of the page to look at, into .artefacts/screens: at its start, at the lesson's end, and with all
 * panels open; in three sizes, two themes and two languages: node --import tsx scripts/screens.ts; CHROMIUM names the
 * browser.
 */

const FOLDER = fileURLToPath(new URL('../.artefacts/screens/', import.meta.url))
const LANES = ['poll', 'longpoll', 'sse', 'ws']
/** The lesson is played this many times as fast. */
const PACE = 0.2

await mkdir(FOLDER, { recursive: true })
const app = await serve({ port: 0, logLevel: 'silent' })
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
})
try {
  const page = await (await browser.newContext({ reducedMotion: 'reduce' })).newPage()
  await page.goto(`${urlOf(app)}?lang=en&pace=${PACE}`)
  const live = async () => {
    for (const name of LANES) await page.locator(`[data-lane=${name}][data-status="1"]`).waitFor()
  }
  /** Of what is shown now, in all sizes, themes and languages. */
  const take = async (name: string, fullPage: boolean) => {
    for (const width of [390, 1024, 1440]) {
      await page.setViewportSize({ width, height: 900 })
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        for (const language of ['en', 'zh']) {
          await page.locator(`[data-language=${language}]`).click()
          if (!fullPage) await page.locator('.theatre').evaluate((theatre) => theatre.scrollIntoView())
          await page.screenshot({
            path: join(FOLDER, `${name}-${width}-${colorScheme}-${language}.png`),
            fullPage,
          })
        }
      }
    }
  }
  await live()
  for (const text of ['It has begun', '1 : 0']) {
    await app.tidings.publish('default', text)
    for (const name of LANES) {
      await page.locator(`#chart [data-lane=${name}] .arrow.down`, { hasText: text }).first().waitFor()
    }
  }
  await page.locator('#hold').click()
  await take('start', true)
  await page.locator('#play').click()
  await page.locator('#lesson .guess button').click()
  await page.locator('.result').waitFor({ timeout: 300_000 })
  await take('end', false)
  await page.locator('#lesson-next').click()
  await live()
  for (const summary of await page.locator('details[id] > summary').all()) await summary.click()
  for (const shown of ['#rate', '.plots canvas', '.side.response', '.listing', '.verdict']) {
    await page.locator(shown).first().waitFor()
  }
  await take('panels', true)
} finally {
  await browser.close()
  await app.close()
}
