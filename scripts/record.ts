/// <reference lib="dom" />
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Page } from 'playwright-core'
import { serve, urlOf } from '../demo/server.ts'

/*
 * Records a run of the lesson in each language, for the page without a server: node --import tsx scripts/record.ts;
 * CHROMIUM names the browser.
 */

const FOLDER = fileURLToPath(new URL('../demo/public/recording/', import.meta.url))

interface Step {
  after: number
  call: string
  lane?: string
  value: unknown
  caption?: string
}

/** Has each part's script note the calls on its lanes, from its first to its last moment. */
function note(page: Page) {
  return page.evaluate(async () => {
    const { stage, scripts } = await import(new URL('app/page.js', document.baseURI).href)
    const parts: Record<string, object> = {}
    for (const [name, script] of Object.entries<(scene: unknown) => Promise<unknown>>(scripts)) {
      // biome-ignore lint/suspicious/noExplicitAny: what the page is made of has no types
      scripts[name] = async (scene: any) => {
        const from = stage.now
        const steps: Step[] = []
        const restore: (() => void)[] = []
        // biome-ignore lint/suspicious/noExplicitAny: as above
        const wrap = (target: any, call: string, lane: string | undefined, take: (value: any) => unknown) => {
          const original = target[call]
          target[call] = (value: unknown) => {
            const step: Step = { after: stage.now - from, call, lane, value: take(value) }
            const before = steps.findLast((each) => each.call === call && each.lane === lane)
            steps.push(step)
            original.call(target, value)
            // Counted since the part began, which only the lane knows.
            if (call === 'count') step.value = { ...target.totals }
            // What says nothing new is left out.
            const states = call === 'count' || call === 'say'
            if (states && JSON.stringify(before?.value) === JSON.stringify(step.value)) {
              steps.splice(steps.indexOf(step), 1)
            }
          }
          restore.push(() => delete target[call])
        }
        wrap(stage.chart, 'published', undefined, (at) => at)
        for (const lane of scene.lanes) {
          const { transport } = lane
          wrap(lane, 'piece', transport, ({ lane: _, ...piece }) => piece)
          wrap(lane, 'count', transport, (all) => all)
          wrap(lane, 'say', transport, (key) => key)
          wrap(lane, 'got', transport, ({ cursor, time, data, at = Date.now() }) => ({
            cursor,
            time,
            data,
            at: at + stage.offset,
          }))
          lane.addEventListener(
            'arrow',
            ({ caption }: { caption?: string }) => {
              const step = steps.findLast(({ call, lane }) => call === 'piece' && lane === transport)!
              if (caption) step.caption = caption
            },
            { signal: scene.signal },
          )
        }
        try {
          const heard = await script(scene)
          parts[name] = { from, lasts: stage.now - from, steps, heard }
          return heard
        } finally {
          for (const undo of restore) undo()
        }
      }
    }
    Object.assign(globalThis, { recorded: parts })
  })
}

const app = await serve({ port: 0, logLevel: 'silent' })
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
})
try {
  await mkdir(FOLDER, { recursive: true })
  for (const language of ['en', 'zh']) {
    const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage()
    // What loads this file marks the functions in those that go to the page.
    await page.addInitScript({ content: 'globalThis.__name = (marked) => marked' })
    await page.goto(`${urlOf(app)}?lang=${language}`)
    for (const name of ['poll', 'longpoll', 'sse', 'ws']) {
      await page.locator(`[data-lane=${name}][data-status="1"]`).waitFor()
    }
    await note(page)
    await page.locator('#play').click()
    await page.locator('#lesson .guess button').click()
    const end = page.locator(
      '.result, #told [data-said^="lesson.trouble"], #told [data-said="lesson.failed"]',
    )
    await end.waitFor({ timeout: 300_000 })
    if ((await page.locator('.result').count()) === 0) throw new Error((await end.textContent())!)
    const parts = await page.evaluate(() => (globalThis as unknown as { recorded: object }).recorded)
    const file = join(FOLDER, `${language}.json`)
    await writeFile(file, `${JSON.stringify({ parts })}\n`)
    await page.context().close()
  }
} finally {
  await browser.close()
  await app.close()
}
