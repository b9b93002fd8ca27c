/// <reference lib="dom" />
import t from 'tap'
import { openBrowser } from './browser.ts'
import { openPage, startPage } from './pages.ts'

t.test('the page', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return

  await t.test('has all its parts, in two languages', async (t) => {
    const { page, faults } = await openPage(t, browser, (await startPage(t)).url)
    for (const summary of await page.locator('details[id] > summary').all()) await summary.click()
    t.equal(await page.locator('details[id][open]').count(), 6)
    t.equal(await page.locator('#play').textContent(), 'Play the lesson')
    await page.getByRole('button', { name: '中文' }).click()
    t.equal(await page.locator('html').getAttribute('lang'), 'zh-Hans')
    t.equal(await page.locator('#play').textContent(), '播放课程')
    await page.reload()
    t.equal(await page.locator('#play').textContent(), '播放课程', 'it is remembered')
    t.same(faults, [])
  })

  await t.test('can be read from 360 to 1600 pixels, in the light and in the dark', async (t) => {
    const { page } = await openPage(t, browser, (await startPage(t)).url)
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
