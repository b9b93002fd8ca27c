import t from 'tap'
import { openFirefox, type PlainPage } from './firefox.ts'
import { startPage } from './pages.ts'

const LANES = ['poll', 'longpoll', 'sse', 'ws']

/** Until an expression holds in the page. */
async function until(page: PlainPage, condition: string) {
  while (!(await page.evaluate(`Boolean(${condition})`)))
    await new Promise((resolve) => setTimeout(resolve, 50))
}

/** Until an element is there in each lane; its selector is below that of the lane. */
async function inEach(page: PlainPage, below: string, holds = 'true') {
  for (const lane of LANES) {
    await until(
      page,
      `[...document.querySelectorAll('[data-lane=${lane}]${below}')].some((each) => ${holds})`,
    )
  }
}

t.test('the page in Firefox: four lanes, a message in each, and the lesson', async (t) => {
  const page = await openFirefox(t)
  if (page === undefined) return
  const { app, url } = await startPage(t)
  await page.goto(`${url}?lang=en&pace=0.1`)
  await until(page, 'document.documentElement.dataset.ready')
  await inEach(page, '[data-status="1"]')
  await app.tidings.publish('default', 'to all of them')
  await inEach(page, ' .arrow.down', "each.textContent.includes('to all of them')")
  await page.evaluate("document.querySelector('#play').click()")
  await until(page, "document.querySelector('#lesson .guess button')")
  await page.evaluate("document.querySelector('#lesson .guess button').click()")
  await until(page, "document.querySelector('#chart [data-lane=poll] .caption')")
  t.match(
    await page.evaluate("document.querySelector('#chart [data-lane=poll] .caption').textContent"),
    'Hello! Is there any news?',
  )
  t.equal(await page.evaluate("document.querySelector('#play').dataset.i18n"), 'lesson.stop')
})
