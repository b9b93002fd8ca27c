/// <reference lib="dom" />
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { openBrowser } from './browser.ts'
import { ROOT } from './child.ts'
import { openPage, startPage } from './pages.ts'

type Language = 'en' | 'zh'
type Texts = Record<Language, Record<string, string>>

const LANES = ['poll', 'longpoll', 'sse', 'ws']
const { default: texts } = (await import(join(ROOT, 'demo', 'public', 'texts', 'lesson.js'))) as {
  default: Texts
}
const { default: frame } = (await import(join(ROOT, 'demo', 'public', 'texts', 'page.js'))) as {
  default: Texts
}

/** What an arrow may do that bears a caption: another one is contradicted by it. */
const ACTS: Record<string, RegExp> = {
  'lesson.poll.ask': /^up ask$/,
  'lesson.poll.no': /^down no$/,
  'lesson.poll.yes': /^down yes$/,
  'lesson.longpoll.ask1': /^up ask$/,
  'lesson.longpoll.ask': /^up hold$/,
  'lesson.longpoll.no': /^down no$/,
  'lesson.longpoll.yes': /^down yes$/,
  'lesson.sse.listen': /^up listen$/,
  'lesson.sse.stream': /^down stream$/,
  'lesson.sse.ready': /^down ready$/,
  'lesson.sse.push': /^down push$/,
  'lesson.ws.switch': /^up switch$/,
  'lesson.ws.switched': /^down switched$/,
  'lesson.ws.ready': /^down ready$/,
  'lesson.ws.subscribe': /^up subscribe$/,
  'lesson.ws.subscribed': /^down subscribed$/,
  'lesson.ws.push': /^down push$/,
}

const STORY: Record<string, string[]> = {
  poll: ['ask1', 'no1', 'ask2', 'no2', 'ask3', 'no3', 'ask4', 'yes4', 'ask5', 'no5'],
  longpoll: ['ask1', 'no1', 'ask2', 'yes2', 'ask3', 'yes3', 'ask4'],
  sse: ['listen', 'stream', 'ready', 'push', 'push'],
  ws: ['switch', 'switched', 'ready', 'subscribe', 'subscribed', 'push', 'push', 'push', 'push'],
}

interface Said {
  lane: string
  /** Direction and act. */
  arrow: string
  words: string
  caption: boolean
  cost: string
}

/** All that the lesson shows: its arrows, its stories, and the figures that stand when a story ends. */
async function record(page: Page) {
  const said: Said[] = []
  const stories: { text: string; means: Record<string, string>; bad: string[] }[] = []
  await page.exposeFunction('said', (one: Said) => said.push(one))
  await page.exposeFunction('story', (text: string, means: Record<string, string>, bad: string[]) =>
    stories.push({ text, means, bad }),
  )
  await page.evaluate(() => {
    const { said, story } = window as unknown as {
      said(one: object): void
      story(text: string, means: object, bad: string[]): void
    }
    const lanes = [...document.querySelectorAll<HTMLElement>('.lane')]
    for (const article of lanes) {
      const hear = (changes: MutationRecord[]) => {
        for (const row of changes.flatMap(({ addedNodes }) => [...addedNodes] as HTMLElement[])) {
          if (!row.classList.contains('arrow')) continue
          const act = [...row.classList].find((name) => name.startsWith('act-'))!.slice(4)
          const words = row.querySelector('.say')!
          said({
            lane: article.dataset.lane,
            arrow: `${row.classList.contains('up') ? 'up' : 'down'} ${act}`,
            words: words.textContent,
            caption: words.classList.contains('caption'),
            cost: row.querySelector('.cost')!.textContent,
          })
        }
      }
      const list = document.querySelector(`#chart [data-lane=${article.dataset.lane}]`)!
      new MutationObserver(hear).observe(list, { childList: true })
    }
    const place = document.querySelector('#told')!
    const tell = () => {
      const of = (lane: HTMLElement, figure: string) => lane.querySelector(`[data-figure=${figure}]`)!
      story(
        place.textContent!,
        Object.fromEntries(lanes.map((lane) => [lane.dataset.lane, of(lane, 'mean').textContent])),
        lanes.flatMap((lane) => [...lane.querySelectorAll('.figures .bad')].map((bad) => bad.textContent!)),
      )
    }
    new MutationObserver(tell).observe(place, { childList: true })
  })
  return { said, stories }
}

/** Milliseconds that a figure tells. */
const ms = (text: string) => Number.parseFloat(text) * (text.endsWith(' ms') ? 1 : 1000)

async function live(page: Page) {
  for (const name of LANES) await page.locator(`[data-lane=${name}][data-status="1"]`).waitFor()
}

async function begin(page: Page) {
  await page.locator('#play').click()
  await page.locator('#lesson .guess button').click()
}

/** What has the focus. */
const focused = (page: Page) =>
  page.evaluate(() => document.activeElement!.id || document.activeElement!.className)

const story = (page: Page, key: string) => page.locator(`#lesson [data-said="${key}"]`)

/** The listeners on all that outlives a lesson. */
async function listeners(page: Page): Promise<Record<string, number>> {
  const devtools = await page.context().newCDPSession(page)
  const counts: Record<string, number> = {}
  for (const name of [
    'stage',
    'stage.tap',
    'document',
    ...LANES.map((lane) => `stage.lanes.get('${lane}')`),
  ]) {
    const { result } = await devtools.send('Runtime.evaluate', {
      expression: `import(new URL('app/page.js', document.baseURI)).then(({ stage }) => ${name})`,
      awaitPromise: true,
    })
    const { listeners } = await devtools.send('DOMDebugger.getEventListeners', { objectId: result.objectId! })
    for (const { type } of listeners) counts[`${name} ${type}`] = (counts[`${name} ${type}`] ?? 0) + 1
  }
  await devtools.detach()
  return counts
}

async function start(t: Test, browser: Browser, pace: number, query = '') {
  const { app, url } = await startPage(t)
  const { page, faults } = await openPage(t, browser, `${url}?pace=${pace}${query}`)
  await live(page)
  return { app, page, faults }
}

t.test('the lesson', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return

  for (const language of ['en', 'zh'] as const) {
    await t.test(`tells what happens, in ${language}`, async (t) => {
      const { page, faults } = await start(t, browser, 0.2)
      await page.locator(`[data-language=${language}]`).click()
      const text = texts[language]
      const before = await listeners(page)
      await page.locator('#play').click()
      await page.locator('input[name=first][value=ws]').check()
      await page.locator('input[name=most][value=poll]').check()
      const { said, stories } = await record(page)
      await page.locator('#lesson .guess button').click()
      await page.locator('.result').waitFor({ timeout: 90_000 })
      const result = (await page.locator('.result').textContent())!
      for (const name of LANES) {
        t.equal(await page.locator(`[data-lane=${name}][data-status=off]`).count(), 1, 'the picture stays')
      }
      t.equal(await page.locator('#lesson-next').textContent(), text['lesson.goon'])
      await page.locator('#lesson-next').press('Enter')
      await live(page)
      t.equal(await focused(page), 'play')

      // Each caption is a text of the lesson, in its place, on an arrow that does what it says.
      const patterns = Object.entries(text)
        .filter(([key]) => /^lesson\.(poll|longpoll|sse|ws)\./.test(key))
        .map(([key, text]) => {
          const pattern = text.replace(/[.?*+^$()[\]|\\]/g, '\\$&').replace('{news}', '.+')
          return [key, new RegExp(`^${pattern}$`)] as const
        })
      const told: Record<string, string[]> = {}
      for (const { lane, words, arrow } of said.filter(({ caption }) => caption)) {
        const [key = ''] =
          patterns.find(([key, pattern]) => key.startsWith(`lesson.${lane}.`) && pattern.test(words)) ?? []
        t.ok(key, `${lane} says '${words}'`)
        const acts = ACTS[key] ?? ACTS[key.replace(/\d$/, '')]
        t.match(arrow, acts, `'${words}' stands on an arrow that does so`)
        told[lane] = [...(told[lane] ?? []), key.slice(`lesson.${lane}.`.length)]
      }
      t.same(told, STORY)
      for (const { words } of said) t.notMatch(words, /lesson\.|⟦|\{/)

      // Nothing is told that an earlier chapter has told, nor anything that nobody has published.
      const news = Object.entries(text).flatMap(([key, text]) => (/news\.\d/.test(key) ? [text] : []))
      const upTo: Record<string, number> = { poll: 1, longpoll: 2, sse: 2, ws: 4 }
      for (const lane of LANES) {
        const heard = said.filter(
          (each) => each.lane === lane && each.caption && news.some((text) => each.words.endsWith(text)),
        )
        t.same(
          heard.map(({ words }) => news.findIndex((text) => words.endsWith(text))),
          Array.from({ length: upTo[lane]! }, (_, i) => i),
          `${lane} hears each message of its chapter once`,
        )
        const others = said.filter(
          (each) => each.lane === lane && !each.caption && /yes|several|push/.test(each.arrow),
        )
        t.same(
          others.filter(({ words }) => !words.endsWith(text['lesson.news.all']!)),
          [],
          `${lane} hears nothing else`,
        )
        t.equal(others.length, 1, 'and the one for all')
      }

      // A message is as old as it is, however long its request was held.
      const age = ({ cost }: Said) => ms(/[\d.]+ m?s(?= old)|(?<=延迟 )[\d.]+ m?s/.exec(cost)![0])
      const held = ({ cost }: Said) => ms(/(?:held for|挂起) ([\d.]+ m?s)/.exec(cost)![1]!)
      const first = (lane: string, act: string) =>
        said.find((each) => each.lane === lane && each.arrow === `down ${act}` && each.caption)!
      t.ok(
        age(first('longpoll', 'yes')) < held(first('longpoll', 'yes')),
        'the request waited, not its message',
      )
      t.ok(age(first('poll', 'yes')) > age(first('longpoll', 'yes')), 'short polling: the message waited')
      t.notMatch(first('poll', 'yes').cost, /held|挂起/)

      // The stories come in their order, and the figures bear out what they claim.
      const titles = [...LANES.map((lane) => text[`lesson.${lane}`]), text['lesson.cross']]
      t.same(
        stories.slice(0, 5).map(({ text }) => text),
        titles,
      )
      const ages = (lane: string) =>
        said.filter((each) => each.lane === lane && each.caption && /old|延迟/.test(each.cost)).map(age)
      for (const lane of ['longpoll', 'sse', 'ws']) {
        t.ok(
          Math.max(...ages(lane)) < ages('poll')[0]!,
          `short polling ${ages('poll')}, ${lane} ${ages(lane)} ms`,
        )
      }
      // The page's own figures have the browser's haste in them: they can't be below what the messages' ages are.
      for (const lane of LANES) {
        const mean = ages(lane).reduce((sum, each) => sum + each, 0) / ages(lane).length
        t.ok(
          ms(stories[4]!.means[lane]!) > mean - 3,
          `${lane}: mean delay ${stories[4]!.means[lane]}, age ${mean}`,
        )
      }
      t.same(
        stories.flatMap(({ bad }) => bad),
        [],
        'nothing is missed or told twice',
      )
      t.ok(
        result.includes(text['lesson.most.is']!.split('{most}')[0] + frame[language]['lane.poll']!),
        result,
      )
      t.same(await listeners(page), before, 'nobody listens on')
      t.same(faults, [])
    })
  }

  await t.test('goes on whatever else is published', async (t) => {
    const { page, faults } = await start(t, browser, 0.1)
    const { said } = await record(page)
    await begin(page)
    await page.evaluate(() => {
      const form = document.querySelector<HTMLFormElement>('#publish')!
      setInterval(() => {
        if (document.querySelector('.speaking')) form.requestSubmit()
      }, 50)
    })
    await page.locator('.result').waitFor({ timeout: 60_000 })
    t.ok(said.filter(({ words }) => /hello/.test(words)).length > 10)
    for (const { words, caption, arrow } of said.filter(({ caption }) => caption)) {
      const key = Object.entries(ACTS).find(([, acts]) => acts.test(arrow) && caption)
      t.ok(key, `${words} on ${arrow}`)
    }
    t.same(faults, [])
  })

  await t.test('plays with a network that is slower than its pauses', async (t) => {
    const { page, faults } = await start(t, browser, 0.02)
    await page.locator('#controls > summary').click()
    await page.locator('#delay').fill('300')
    await page.locator('[data-lane=poll] .cost', { hasText: '300 ms in transit' }).first().waitFor()
    await begin(page)
    await page.locator('.result').waitFor({ timeout: 60_000 })
    t.same(faults, [])
  })

  await t.test('says why it stops: a network that is cut, before or meanwhile', async (t) => {
    const { page, faults } = await start(t, browser, 0.05)
    await page.locator('#controls > summary').click()
    const cut = (name: string) => page.locator(`[data-cut=${name}]`).click()
    for (const name of LANES) {
      await cut(name)
      await page.locator(`[data-lane=${name}][data-status=cut]`).waitFor()
      await begin(page)
      await story(page, 'lesson.trouble.cut').waitFor()
      t.match(await page.locator('#lesson').textContent(), new RegExp(frame.en[`lane.${name}`]!))
      t.equal(await page.locator('#play').textContent(), 'Play the lesson', 'it can be played again')
      t.equal(await page.locator('.speaking').count(), 0)
      await cut(name)
      await live(page)
    }
    t.same(
      faults.filter((fault) => !/net::|WebSocket connection/.test(fault)),
      [],
    )
  })

  for (const [before, chapter] of LANES.entries()) {
    await t.test(`says why it stops: cut in the chapter of ${chapter}, and nobody listens on`, async (t) => {
      const { page } = await start(t, browser, 1)
      const listening = await listeners(page)
      await page.locator('#controls > summary').click()
      await begin(page)
      for (const _ of LANES.slice(0, before)) await page.locator('#lesson-next').click()
      await story(page, `lesson.${chapter}`).waitFor()
      await page.locator(`[data-lane=${chapter}] .caption`).first().waitFor()
      await page.locator(`[data-cut=${chapter}]`).click()
      await story(page, 'lesson.trouble.cut').waitFor()
      await page.locator(`[data-cut=${chapter}]`).click()
      await live(page)
      const after = await listeners(page)
      for (const each of Object.keys(after)) {
        // The controls have listeners of their own.
        if (!/ready$/.test(each)) t.equal(after[each], listening[each], each)
      }
    })
  }

  await t.test('says why it stops: the log has started over', async (t) => {
    const { page } = await start(t, browser, 1)
    await page.locator('#controls > summary').click()
    await begin(page)
    await page.locator('[data-lane=poll] .caption').first().waitFor()
    await page.locator('#restart').click()
    await story(page, 'lesson.trouble.gap').waitFor()
    t.equal(await page.locator('#play').textContent(), 'Play the lesson')
  })

  await t.test('goes back and forth, stands still, and keeps the focus; Escape stops it', async (t) => {
    // Slow, so that no key comes after the chapter that it is for.
    const { page, faults } = await start(t, browser, 1.5)
    await page.locator('#play').press('Enter')
    await page.keyboard.press('Escape')
    t.equal(await page.locator('#play').textContent(), 'Play the lesson')
    t.equal(await focused(page), 'play')
    await page.locator('#play').press('Enter')
    await page.locator('#lesson .guess button').press('Enter')
    await story(page, 'lesson.poll').waitFor()
    t.equal(await focused(page), 'lesson-pause')

    // While it stands still nobody asks; it goes on with the words that are due. How many were said before the key
    // arrived is the machine's affair.
    const captions = page.locator('[data-lane=poll] .caption')
    await captions.nth(1).waitFor()
    await page.keyboard.press('Enter')
    await page.locator('[data-lane=poll][data-status=off]').waitFor()
    t.equal(await page.locator('#lesson-pause').textContent(), 'Play')
    const asked = await captions.count()
    await page.keyboard.press('Enter')
    await captions.nth(asked).waitFor()
    t.equal((await captions.allTextContents())[asked], texts.en[`lesson.poll.${STORY.poll![asked]}`])

    await page.locator('#lesson-next').press('Enter')
    await story(page, 'lesson.longpoll').waitFor()
    t.equal(await page.locator('[data-lane=poll]:not(.speaking)[data-status=off]').count(), 1)
    t.ok((await captions.count()) > asked, 'what was told stays')
    await page.locator('#lesson-back').press('Enter')
    await story(page, 'lesson.poll').waitFor()
    await captions.first().waitFor()
    t.equal(await captions.first().textContent(), texts.en['lesson.poll.ask1'])
    t.equal(await page.locator('.speaking').count(), 1)
    t.equal(await focused(page), 'lesson-back')
    await page.keyboard.press('Enter')
    await page.locator('#lesson .guess').waitFor()
    t.equal(await page.evaluate(() => (document.activeElement as HTMLInputElement).name), 'first')
    await page.locator('#lesson .guess button').press('Enter')
    for (const key of ['longpoll', 'sse', 'ws', 'cross']) {
      await page.locator('#lesson-next').press('Enter')
      await story(page, `lesson.${key}`).waitFor()
    }
    t.equal(await focused(page), 'lesson-next')
    await page.keyboard.press('Escape')
    t.equal(await focused(page), 'play')
    t.equal(await page.locator('#told > *').count(), 0)
    await live(page)
    t.same(faults, [])
  })
})

t.test('the player goes from each state where it should, and nowhere else', async (t) => {
  const { move, OFF } = (await import(join(ROOT, 'demo', 'public', 'player.js'))) as {
    move(state: object, move: string, last: number): { name: string; step: number }
    OFF: { name: string; step: number }
  }
  const walk = (...moves: string[]) => {
    let state = OFF
    for (const each of moves) state = move(state, each, 2)
    return `${state.name} ${state.step}`
  }
  t.equal(walk('play'), 'guess 0')
  t.equal(walk('play', 'next'), 'playing 1')
  t.equal(walk('play', 'next', 'pause'), 'paused 1')
  t.equal(walk('play', 'next', 'pause', 'play'), 'playing 1')
  t.equal(walk('play', 'next', 'pause', 'next'), 'playing 2')
  t.equal(walk('play', 'next', 'pause', 'back'), 'guess 0')
  t.equal(walk('play', 'next', 'done'), 'playing 2')
  t.equal(walk('play', 'next', 'next', 'back'), 'playing 1')
  t.equal(walk('play', 'next', 'next', 'done'), 'ending 2')
  t.equal(walk('play', 'next', 'next', 'done', 'play'), 'playing 2', 'again')
  t.equal(walk('play', 'next', 'next', 'done', 'back'), 'playing 1')
  for (const end of ['next', 'stop']) t.equal(walk('play', 'next', 'next', 'done', end), 'off 0')
  t.equal(walk('play', 'next', 'next', 'next'), 'off 0')
  for (const begun of [['play'], ['play', 'next'], ['play', 'next', 'pause']]) {
    t.equal(walk(...begun, 'stop'), 'off 0')
    if (begun.length > 1) t.equal(walk(...begun, 'fail'), 'off 0')
  }
  // What is no move from there leaves it as it is.
  for (const each of ['pause', 'next', 'back', 'stop', 'done', 'fail']) t.equal(move(OFF, each, 2), OFF)
  t.equal(walk('play', 'pause'), 'guess 0')
  t.equal(walk('play', 'next', 'next', 'done', 'pause'), 'ending 2')
})
