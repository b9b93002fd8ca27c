/// <reference lib="dom" />
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { serve, urlOf } from '../demo/server.ts'

/* Makes the pictures of the page anew, with real traffic: node --import tsx scripts/pictures.ts; CHROMIUM names it. */

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PICTURES = [
  { file: 'docs/page.png', width: 1440, height: 900 },
  { file: 'demo/public/picture.png', width: 1200, height: 630 },
]
const TEXTS = ['It has begun', '1 : 0', 'Half-time']

const app = await serve({ port: 0, logLevel: 'silent' })
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
})
try {
  for (const { file, width, height } of PICTURES) {
    const context = await browser.newContext({
      viewport: { width, height },
      locale: 'en',
      colorScheme: 'light',
    })
    const page = await context.newPage()
    await page.goto(urlOf(app))
    for (const name of ['poll', 'longpoll', 'sse', 'ws']) {
      await page.locator(`[data-lane=${name}][data-status="1"]`).waitFor()
    }
    for (const text of TEXTS) {
      await app.tidings.publish('default', text)
      for (const name of ['poll', 'longpoll', 'sse', 'ws']) {
        const said = page.locator(`#chart [data-lane=${name}] .arrow.down`, { hasText: text })
        await said.first().waitFor()
      }
    }
    // A machine without a font for Chinese would show boxes.
    await page.locator('.languages').evaluate((switcher) => {
      ;(switcher as HTMLElement).style.visibility = 'hidden'
    })
    await page.screenshot({ path: join(ROOT, file) })
    await context.close()
  }
} finally {
  await browser.close()
  await app.close()
}
