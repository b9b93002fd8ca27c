/// <reference lib="dom" />
import { createHash, randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { advise } from '../benchmarks/advise.ts'
import { CASE_NAMES } from '../demo/handshake.ts'
import { openBrowser } from './browser.ts'
import { ROOT } from './child.ts'
import { openPage, startPage } from './pages.ts'

const SHOTS = join(ROOT, '.artefacts')
await mkdir(SHOTS, { recursive: true })

type Sha1 = (bytes: Uint8Array) => Uint8Array
const { sha1, digest } = (await import(join(ROOT, 'demo', 'public', 'sha1.js'))) as {
  sha1: Sha1
  digest(bytes: Uint8Array, subtle?: SubtleCrypto | null): Promise<{ bytes: Uint8Array; by: string }>
}

t.test('SHA-1 by hand is that of the platform, at each length of a block', async (t) => {
  for (let length = 0; length < 200; length++) {
    const bytes = randomBytes(length)
    const wanted = createHash('sha1').update(bytes).digest('hex')
    t.equal(Buffer.from(sha1(bytes)).toString('hex'), wanted, `${length} bytes`)
  }
  const bytes = Buffer.from('abc')
  const own = await digest(bytes)
  t.same([own.by, Buffer.from(own.bytes)], ['WebCrypto', Buffer.from(sha1(bytes))])
  t.same(await digest(bytes, null), { bytes: sha1(bytes), by: 'JavaScript' })
})

const accept = (key: string) =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

t.test('panels of the page', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return

  const open = async (t: Test, panel: string) => {
    const { page, faults } = await openPage(t, browser, (await startPage(t)).url)
    await page.locator(`#${panel} > summary`).click()
    await page.locator(`#${panel} .panel > *`).first().waitFor()
    return { page, faults, panel: page.locator(`#${panel}`) }
  }

  /** What each panel has to be in both languages, at all sizes, in the light and in the dark. */
  const look = async (t: Test, page: Page, panel: string) => {
    const texts = () =>
      page
        .locator(`#${panel} [data-said]`)
        .evaluateAll((all) => all.map((each) => [(each as HTMLElement).dataset.said!, each.textContent!]))
    const english = await texts()
    await page.getByRole('button', { name: '中文' }).click()
    const chinese = await texts()
    for (const [key, text] of [...english, ...chinese]) t.not(text, key, `${key} is said`)
    t.equal(chinese.length, english.length)
    t.ok(chinese.filter(([, text]) => /[\u4e00-\u9fff]/.test(text!)).length > english.length * 0.6)
    await page.getByRole('button', { name: 'English' }).click()
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      for (const width of [360, 800, 1600]) {
        await page.setViewportSize({ width, height: 900 })
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        t.equal(wide, width, `nothing stands out at ${width}`)
        await page
          .locator(`#${panel}`)
          .screenshot({ path: join(SHOTS, `${panel}-${width}-${colorScheme}.png`) })
      }
    }
  }

  await t.test('the handshake', async (t) => {
    const { page, faults, panel } = await open(t, 'handshake')
    await panel.locator('.side.response').waitFor()
    t.equal(await page.locator('#handshake-key').inputValue(), 'sN9cRrP/n9NdMgdcy2VJFQ==')
    t.equal(await page.locator('#handshake-accept').textContent(), 'fFBooB7FAkLlXgRSz0BT3v4hq5s=')
    t.equal(
      await page.locator('#handshake-sha1').textContent(),
      '7c 50 68 a0 1e c5 02 42 e5 5e 04 52 cf 40 53 de fe 21 ab 9b',
    )
    const live = panel.locator('.side.request dt', { hasText: 'Sec-WebSocket-Key' })
    const key = (await live.textContent())!.split(': ')[1]!
    await page.getByRole('button', { name: 'The live key' }).click()
    await panel.getByText('The server’s response above has the same value.').waitFor()
    t.equal(await page.locator('#handshake-accept').textContent(), accept(key))

    const statuses: Record<string, string> = {}
    for (const button of await panel.locator('.row[role=group] button').all()) {
      const answered = page.waitForResponse(/demo\/handshake/)
      await button.click()
      const { case: name, request, response } = await (await answered).json()
      await panel.locator('.side.response dt').first().waitFor()
      await panel.locator(`.verdict[data-said="handshake.said.${name}"]`).waitFor()
      const first = await panel.locator('.side.response dt').first().textContent()
      t.equal(first, response.text.split('\r\n', 1)[0])
      statuses[name] = first!.split(' ')[1]!
      t.equal(await panel.locator('[data-said="handshake.unknown"]').count(), 0, 'each line is explained')
      // The proof speaks of this case, and of no other one.
      const header = (text: string, name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(text)?.[1]
      const key = header(request.text, 'sec-websocket-key')
      const answer = header(response.text, 'sec-websocket-accept')
      const origin = key === undefined ? 'none' : answer === undefined ? 'refused' : 'live'
      await panel.locator(`[data-said="handshake.origin.${origin}"]`).waitFor()
      t.equal(await page.locator('#handshake-key').inputValue(), key ?? 'sN9cRrP/n9NdMgdcy2VJFQ==', name)
      t.equal(await page.getByRole('button', { name: 'The live key' }).isDisabled(), key === undefined)
      const valid = key === undefined || /^[\w+/]{22}==$/.test(key)
      const verdict = !valid
        ? 'nokey.refused'
        : origin === 'live'
          ? 'equal'
          : origin === 'refused'
            ? 'noanswer'
            : ''
      if (verdict) await panel.locator(`[data-said="handshake.${verdict}"]`).waitFor()
      await page.waitForFunction(
        (wanted) => document.querySelector('#handshake-accept')!.textContent === wanted,
        accept(key ?? 'sN9cRrP/n9NdMgdcy2VJFQ=='),
      )
      if (!verdict) t.notMatch(await panel.locator('.proof').textContent(), /response above|handshake above/)
    }
    t.same(Object.keys(statuses), CASE_NAMES)
    t.match(statuses, { 'version-13': '101', 'version-17': '426', 'foreign-origin': '403', 'no-key': '400' })

    await page.locator('#handshake-key').fill('mine')
    await panel.locator('[data-said="handshake.nokey"]').waitFor()
    t.equal(await page.locator('#handshake-accept').textContent(), accept('mine'))
    await panel.locator('.dump summary').first().click()
    t.match(await panel.locator('.dump pre').first().textContent(), /^0000 {2}47 45 54 20 2f 65 63 68 /)
    await look(t, page, 'handshake')
    t.same(faults, [])
  })

  await t.test('outside a secure context the proof is made without WebCrypto', async (t) => {
    const { page } = await openPage(t, browser, (await startPage(t)).url)
    await page.evaluate(() => Object.defineProperty(crypto, 'subtle', { value: undefined }))
    await page.locator('#handshake > summary').click()
    await page.locator('#handshake').getByText('by JavaScript').waitFor()
    t.equal(await page.locator('#handshake-accept').textContent(), 'fFBooB7FAkLlXgRSz0BT3v4hq5s=')
  })

  await t.test('the socket API, line by line', async (t) => {
    const { page, faults, panel } = await open(t, 'socket-api')
    const journal = panel.locator('.listing .journal li')
    const step = page.getByRole('button', { name: 'Step', exact: true })
    const lit = () => panel.locator('.listing li.fired').count()
    t.equal(await lit(), 0)
    await step.click()
    await journal.filter({ hasText: 'open tidings' }).waitFor()
    t.equal(await lit(), 1, 'the line of onopen')
    const at = panel.locator('.listing li[aria-current]')
    t.match(await at.textContent(), 'function state')
    await step.click()
    await step.click()
    await journal.filter({ hasText: /ms *open$/ }).waitFor()
    await page.getByRole('button', { name: 'Run all' }).click()
    await journal.filter({ hasText: /closed$/ }).waitFor()
    const said = (await journal.allTextContents()).map((line) => line.replace(/^[0-9.]+ ms/, ''))
    t.same(said, ['open tidings', 'open', '5', 'message hello', 'closing', 'close 1000 done', 'closed'])
    t.equal(await lit(), 6, 'three events and three states')
    t.equal(await step.isDisabled(), true)
    await look(t, page, 'socket-api')
    t.same(faults, [])

    await page.locator('#socket-target').selectOption('poll')
    t.equal(await journal.count(), 0)
    await page.getByRole('button', { name: 'Run all' }).click()
    await journal.filter({ hasText: 'close 1006' }).waitFor()
    await panel.locator('[data-said="socket-api.note.failed"]').waitFor()
    t.match(await journal.allTextContents(), [/connecting/, /error/, /close 1006/])
  })

  await t.test('the socket API, freely', async (t) => {
    const { page, faults, panel } = await open(t, 'socket-api')
    const said = (text: string | RegExp) => panel.locator('.free .journal li', { hasText: text }).waitFor()
    const send = (id: string) =>
      page
        .locator('form', { has: page.locator(id) })
        .locator('[type=submit]')
        .click()
    await send('#free-text')
    await panel.locator('[data-said="socket-api.closed"]').waitFor()
    await page.getByRole('button', { name: 'Open', exact: true }).click()
    await said(/open$/)
    await send('#free-text')
    await said('← hello')
    await send('#free-hex')
    await said('← Blob, 4 bytes: 48 69 00 ff')
    await page.locator('#free-hex').fill('4')
    await send('#free-hex')
    await panel.getByText('Bytes are pairs').waitFor()
    await page.locator('#free-binary').selectOption('arraybuffer')
    const file = { name: 'a', mimeType: 'text/plain', buffer: Buffer.from('abc') }
    await page.locator('#free-file').setInputFiles(file)
    for (const as of ['Blob', 'ArrayBuffer']) {
      await page.locator('#free-as').selectOption(as)
      await send('#free-file')
      await said(`→ ${as}, 3 bytes`)
    }
    const back = panel.locator('.free .journal li', { hasText: '← ArrayBuffer, 3 bytes: 61 62 63' })
    await back.nth(1).waitFor()
    await page.getByRole('button', { name: 'Send 20 MB' }).click()
    await panel.locator('[data-said="socket-api.flood.result"]').waitFor()
    const [, peak] = /At most ([0-9.]+) MB/.exec((await panel.locator('.flood').textContent())!)!
    t.ok(Number(peak) > 1 && Number(peak) <= 20, `${peak} MB waited`)
    t.equal(await panel.locator('.meters dd').nth(1).textContent(), '0')
    t.match(await panel.locator('.buffer-plot .waiting').getAttribute('d'), /^M.*L.*L/)
    await page.locator('#free-code').fill('1001')
    await send('#free-code')
    await panel.getByText('InvalidAccessError').waitFor()
    await page.locator('#free-code').fill('4711')
    await send('#free-code')
    await said('close 4711 enough (wasClean: true)')
    t.same(faults, [])
  })

  await t.test('your workload', async (t) => {
    const { page, faults, panel } = await open(t, 'workload')
    const ranked = async () =>
      (await panel.locator('.ranking tbody th').allTextContents()).map((text) => text.replace(/^.*\. /, ''))
    t.same(await ranked(), ['WebSocket', 'Server-Sent Events', 'Long polling', 'Short polling every 250 ms'])
    t.match(
      await panel.locator('.verdict').textContent(),
      /^Use WebSocket here, because it moves the fewest bytes/,
    )
    await t.test('says what the command says', async (t) => {
      const flags = {
        subscribers: 'subscribers',
        rate: 'rate',
        back: 'back',
        payload: 'payload',
        latency: 'latency-p99',
        rtt: 'rtt',
        tabs: 'tabs',
        proxyIdle: 'proxy-idle',
      }
      const COLUMNS = ['p99 ms', 'bytes/s per subscriber', 'egress GB/month', 'radio on %', 'memory MB']
      /** What is not known is none. */
      const numberOf = (text: string) => (/\d/.test(text) ? Number(text.replace(/[^\d.e-]/g, '')) : -1)
      const shown = async () =>
        (await panel.locator('.ranking tbody td.figure').allTextContents()).map(numberOf)
      const verdict = panel.locator('.verdict')
      let sentence: string | undefined
      const commanded = async (args: string[]) => {
        let text = ''
        await advise(args, (more) => {
          text += more
        })
        sentence = text.split('\n').find((line) => line.startsWith('Use ') || line.startsWith('Nothing'))
        const cells = text.split('\n').flatMap((line) => (line.startsWith('│') ? [line.split('│')] : []))
        const heads = cells[0]!.map((cell) => cell.trim())
        const columns = COLUMNS.map((name) => heads.indexOf(name))
        const rows = cells.filter((row) => /^ [\d=]/.test(row[1]!))
        return rows.flatMap((row) => columns.map((column) => numberOf(row[column]!)))
      }
      /** The panel rounds to three digits below 1,000, the command to whole numbers from 100 on. */
      const near = (a: number[], b: number[]) =>
        a.length === b.length &&
        a.every((value, i) => Math.abs(value - b[i]!) <= Math.max(0.006 * value, 0.51))
      t.equal(await panel.locator('[data-way=poll] td').nth(1).textContent(), '3,776 B/s')
      const usual = await shown()
      t.equal(usual.length, 4 * COLUMNS.length)
      t.ok(near(usual, await commanded([])), `${usual} at the defaults`)
      t.equal(await verdict.textContent(), sentence)
      for (const place of [40, 100, 150]) {
        for (const name of Object.keys(flags)) {
          if (name === 'latency') continue
          await page.locator(`#workload-${name}`).fill(`${name === 'tabs' ? 4 : place}`)
        }
        const args = []
        for (const [name, flag] of Object.entries(flags)) {
          const text = await panel.locator(`output[for=workload-${name}]`).textContent()
          args.push(`--${flag}=${text!.replace(/[^\d.]/g, '')}`)
        }
        for (const http of ['2', '1.1']) {
          await page.locator('#workload-http').selectOption(http)
          const [figures, command] = [await shown(), await commanded([...args, `--http=${http}`])]
          t.equal(await verdict.textContent(), sentence, 'in the same words')
          t.ok(near(figures, command), `${args.join(' ')} over HTTP/${http}: ${figures}; ${command}`)
        }
      }
    })
    const advised = await panel.locator('.advice').textContent()
    await page.goto((await panel.locator('.link').getAttribute('href'))!)
    await panel.locator('.verdict').waitFor()
    t.equal(await panel.locator('.advice').textContent(), advised, 'the link carries what is set')
    await page.goto(new URL('.', page.url()).href)
    await page.locator('#workload > summary').click()
    await panel.locator('.verdict').waitFor()
    const requests = page.locator('#chart [data-lane=poll] .act-ask button')
    await requests.first().press('Enter')
    const [request] = (await page.locator('dialog .text').textContent())!.split('\r\n\r\n')
    const head = request!.slice(request!.indexOf('\n') + 1).replaceAll(/\r?\n/g, '\r\n')
    await page.keyboard.press('Escape')
    await panel.getByText(`had ${head.length + 2} bytes of headers`).waitFor()
    t.match(await panel.textContent(), /From about [0-9.]+ messages a second: Short polling/)
    await look(t, page, 'workload')

    await page.locator('#workload-rate').fill('240')
    t.match(await panel.locator('.ranking tbody th').first().textContent(), /Short polling/)
    await page.locator('#workload-latency').fill('10')
    await panel.locator('[data-said="workload.refused.interval"]').waitFor()
    await page.locator('#workload-rtt').fill('0')
    await page.locator('#workload-tabs').fill('240')
    t.same(
      await panel
        .locator('.refused li')
        .evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset.said)),
      ['interval', 'connections', 'connections'].map((name) => `workload.refused.${name}`),
    )
    await page.locator('#workload-http').selectOption('2')
    await panel.locator('[data-said="workload.refused.streams"]').first().waitFor()
    await page.locator('#workload-rtt').fill('240')
    await panel.locator('[data-said="workload.none"]').waitFor()
    t.same(faults, [])
  })
})
