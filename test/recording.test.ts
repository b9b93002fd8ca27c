/// <reference lib="dom" />
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { openBrowser } from './browser.ts'
import { ROOT } from './child.ts'
import { openPage, serveFiles } from './pages.ts'

type Texts = Record<'en' | 'zh', Record<string, string>>

interface Step {
  call: string
  lane: string
  // biome-ignore lint/suspicious/noExplicitAny: of each call another
  value: any
  caption?: string
}

interface Part {
  steps: Step[]
  heard?: { transport: string; delay: number }[]
}

const LANES = ['poll', 'longpoll', 'sse', 'ws']
const PUBLIC = join(ROOT, 'demo', 'public')
const { default: texts } = (await import(join(PUBLIC, 'texts', 'lesson.js'))) as { default: Texts }
const { timeText } = (await import(join(PUBLIC, 'bytes.js'))) as { timeText(ms: number): string }

async function partsOf(language: string): Promise<Record<string, Part>> {
  return JSON.parse(await readFile(join(PUBLIC, 'recording', `${language}.json`), 'utf8')).parts
}

/** The key and the message of each caption in a lane, as the page draws them. */
const captions = (page: Page, lane: string) =>
  page.locator(`#chart [data-lane=${lane}] .caption`).allTextContents()

/** What a caption of the recording looks like. */
function patternOf(text: string) {
  return new RegExp(`^${text.replace(/[.?*+^$()[\]|\\]/g, '\\$&').replace('{news}', '.+')}$`)
}

const mean = (values: number[]) => values.reduce((sum, each) => sum + each, 0) / values.length

t.test('the page on a server of files', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  const url = await serveFiles(t, '/docs/page/')

  for (const language of ['en', 'zh'] as const) {
    await t.test(`plays the recorded lesson, in ${language}`, async (t) => {
      const parts = await partsOf(language)
      const { page, faults } = await openPage(t, browser, `${url}?pace=0.02&lang=${language}`)
      await page.locator('html[data-ready=true]').waitFor()
      t.match(await page.locator('#notice').textContent(), /npx fastify-tidings-demo/)
      t.equal(await page.locator('#publish').isVisible(), false)
      await page.locator('#play').click()
      await page.locator('input[name=first][value=ws]').check()
      await page.locator('input[name=most][value=poll]').check()
      await page.locator('#lesson .guess button').click()
      await page.locator('.result').waitFor()

      for (const lane of LANES) {
        const said = parts[lane]!.steps.flatMap(({ lane: own, caption }) =>
          own === lane ? (caption ?? []) : [],
        )
        const shown = await captions(page, lane)
        t.equal(shown.length, said.length, `${lane} has all its captions`)
        for (const [i, key] of said.entries()) t.match(shown[i], patternOf(texts[language][key]!), key)

        // The figures of the part that is shown last are those that were counted and measured in it.
        const own = parts.cross!.steps.filter((step) => step.lane === lane)
        const last = own.findLast(({ call }) => call === 'count')!.value as Record<string, number>
        const delays = own.filter(({ call }) => call === 'got').map(({ value }) => value.at - value.time)
        t.ok(delays.length > 0 && last.requests! > 0, lane)
        const expected = {
          requests: `${last.requests}`,
          empty: `${last.empty}`,
          mean: timeText(Math.max(0, mean(delays))),
          missed: '0',
          repeated: '0',
        }
        for (const [name, text] of Object.entries(expected)) {
          const figure = page.locator(`[data-lane=${lane}] [data-figure=${name}]`)
          await figure.filter({ hasText: text }).waitFor({ state: 'attached' })
          t.equal(await figure.textContent(), text, `${lane}: ${name}`)
        }
      }
      const first = Math.min(...parts.cross!.heard!.map(({ delay }) => delay))
      t.match(await page.locator('.result').textContent(), timeText(first))
      t.equal(await page.locator('#lesson-next').textContent(), texts[language]['lesson.end'])
      await page.locator('#lesson-next').click()
      t.equal(await page.locator('#told > *').count(), 0)
      t.same(faults, [])
    })
  }

  await t.test('goes back and forth, stands still, changes its language, and opens its bytes', async (t) => {
    const { page, faults } = await openPage(t, browser, `${url}?pace=2`)
    await page.locator('#play').click()
    await page.locator('#lesson .guess button').click()
    const poll = page.locator('#chart [data-lane=poll] .caption')
    await poll.nth(1).waitFor()
    await page.locator('#lesson-pause').click()
    await page.locator('#lesson-pause[data-said="lesson.resume"]').waitFor()
    const now = () =>
      page.evaluate(async () => (await import(new URL('app/page.js', document.baseURI).href)).stage.now)
    const stood = await now()
    await page.locator('#chart [data-lane=poll] .act-ask button').first().click()
    t.match(await page.getByRole('dialog').locator('.text').textContent(), /^GET \/poll\?/)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: '中文' }).click()
    t.equal(await poll.first().textContent(), texts.zh['lesson.poll.ask1'])
    t.equal(await now(), stood, 'its clock stands still')
    await page.locator('#lesson-next').click()
    await page.locator('#told [data-said="lesson.longpoll"]').waitFor()
    await page.locator('#lesson-back').click()
    await page.locator('#told [data-said="lesson.poll"]').waitFor()
    await poll.nth(1).waitFor()
    t.equal(await poll.first().textContent(), texts.zh['lesson.poll.ask1'], 'from its beginning')
    await page.locator('#lesson-stop').click()
    t.same(faults, [])
  })

  await t.test('says which parts need a server, and lets nothing from elsewhere in', async (t) => {
    const { page, faults } = await openPage(t, browser, url)
    await page.locator('html[data-ready=true]').waitFor()
    for (const panel of ['controls', 'plots', 'handshake', 'socket-api']) {
      await page.locator(`#${panel} > summary`).click()
      await page.locator(`#${panel} [data-said="page.needs"]`).waitFor()
    }
    await page.locator('#workload > summary').click()
    await page.locator('#workload .verdict').waitFor()
    await page.locator('#talk > summary').click()
    await page.locator('#talk pre').waitFor()
    await page.locator('#endpoints > summary').click()
    t.equal(await page.locator('.endpoints a[href]').count(), 0)
    t.same(faults, [])
    const refused = await page.evaluate(async () => {
      const violation = new Promise<string>((resolve) => {
        document.addEventListener('securitypolicyviolation', ({ blockedURI }) => resolve(blockedURI))
      })
      const script = document.createElement('script')
      script.textContent = 'globalThis.ran = true'
      document.head.append(script)
      return [await violation, 'ran' in globalThis]
    })
    t.same(refused, ['inline', false])
  })
})
