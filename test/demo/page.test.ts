import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { page as servePage } from '../../demo/page.ts'
import { compress } from '../../scripts/compress.ts'
import { ROOT } from '../child.ts'
import { build } from '../helper.ts'

const PUBLIC = join(ROOT, 'demo', 'public')

t.test('stands under a prefix', async (t) => {
  const prefix = '/live'
  const { url } = await build(
    t,
    { prefix, publish: true, transports: ['poll', 'ws'] },
    { before: (app) => app.register(servePage, { prefix }) },
  )
  const moved = await fetch(`${url}/live`, { redirect: 'manual' })
  t.match({ status: moved.status, to: moved.headers.get('location') }, { status: 302, to: '/live/' })
  const page = await fetch(`${url}/live/`)
  t.match(await page.text(), /<title>Polling, long polling, SSE and WebSocket, live<\/title>/)
  t.match(page.headers.get('content-security-policy'), /default-src 'self'/)
  t.equal((await fetch(`${url}/live/app/feed-worker.js`)).status, 200)
  t.equal((await fetch(`${url}/live/app/page.js`)).headers.get('cache-control'), 'no-cache')
})

t.test('is told which of its parts are there', async (t) => {
  const { url } = await build(
    t,
    { publish: true, transports: ['poll', 'ws'] },
    { before: (app) => app.register(servePage) },
  )
  t.same(await (await fetch(`${url}/page.json`)).json(), {
    publish: true,
    poll: true,
    longpoll: false,
    sse: false,
    ws: true,
    echo: false,
    stats: false,
    demo: false,
  })
})

/** The modules that a built module imports statically. */
async function imports(file: string): Promise<string[]> {
  const source = await readFile(join(PUBLIC, 'app', file), 'utf8')
  return [...source.matchAll(/(?:^|[;}])(?:import|export)\b[^;"'()]*"\.\/([^"]+)"/g)].map(([, name]) => name!)
}

t.test('begins with one script, whose parts import no others', async (t) => {
  const html = await readFile(join(PUBLIC, 'index.html'), 'utf8')
  t.same(
    [...html.matchAll(/<script[^>]* src="([^"]+)"/g)].map(([, name]) => name),
    ['app/page.js'],
  )
  const parts = await imports('page.js')
  t.ok(parts.length > 0 && parts.length <= 4, `${parts}`)
  for (const part of parts) {
    for (const each of await imports(part)) t.ok(parts.includes(each), `${part} imports ${each}`)
  }
})

t.test('the build puts the same, compressed, beside its files', async (t) => {
  const folder = t.testdir()
  await cp(PUBLIC, folder, { recursive: true })
  const count = await compress(folder)
  const files = await readdir(folder, { recursive: true })
  const compressed = files.filter((file) => file.endsWith('.br'))
  t.equal(compressed.length, count)
  t.ok(count > 30)
  for (const file of compressed.map((name) => name.slice(0, -3))) {
    const bytes = await readFile(join(folder, file))
    t.ok(brotliDecompressSync(await readFile(join(folder, `${file}.br`))).equals(bytes), file)
    t.ok(gunzipSync(await readFile(join(folder, `${file}.gz`))).equals(bytes), file)
  }
})

t.test(
  'can be linked to: a description, a picture of the size that it says, its source, and the specifications',
  async (t) => {
    const html = await readFile(join(PUBLIC, 'index.html'), 'utf8')
    const meta = Object.fromEntries(
      [...html.matchAll(/<meta (?:name|property)="([^"]+)" content="([^"]+)">/g)].map(([, name, content]) => [
        name,
        content,
      ]),
    )
    const { repository } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    const source = repository.url.replace(/^git\+|\.git$/g, '')
    t.match(html, `<a href="${source}"`)
    for (const name of ['description', 'og:title', 'og:description', 'og:image:alt']) t.ok(meta[name], name)
    // A relative address is none to those who read it.
    const raw = `${source.replace('github.com', 'raw.githubusercontent.com')}/main/`
    t.ok(meta['og:image']?.startsWith(raw))
    const picture = await readFile(join(ROOT, meta['og:image']!.slice(raw.length)))
    t.equal(picture.toString('latin1', 1, 4), 'PNG')
    t.same(
      [`${picture.readUInt32BE(16)}`, `${picture.readUInt32BE(20)}`],
      [meta['og:image:width'], meta['og:image:height']],
    )
    t.ok(picture.length < 300_000, `${picture.length} bytes`)
    for (const lane of ['poll', 'longpoll', 'sse', 'ws']) {
      t.match(html, new RegExp(`<a href="https://[^"]+" data-i18n="lane\\.${lane}\\.spec"`))
    }
  },
)
