import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { connect } from '../client/index.ts'
import { openBrowser } from './browser.ts'
import { Socket } from './client/helper.ts'
import { build, openSocket } from './helper.ts'
import { needs } from './needs.ts'

const DATA = ['short', 'long '.repeat(1000), { n: 1, text: 'é'.repeat(2000) }, 'x'.repeat(300_000)]

/** An app whose channel holds these, and ends. */
async function filled(t: Test) {
  const built = await build(
    t,
    { compression: true },
    {
      before: (app) =>
        app.get('/', (_request, reply) => reply.type('text/html').send('<!doctype html><title>page</title>')),
    },
  )
  for (const data of DATA) await built.app.tidings.publish('default', data)
  return built
}

/** What it comes to, message by message. */
const dataOf = (text: string) =>
  [...text.matchAll(/^data: (.*)$/gm)]
    .map(([, json]) => JSON.parse(json!).data)
    .filter((data) => data !== undefined)

t.test('curl --compressed, to the end that it finds right', async (t) => {
  const curl = needs(t, 'curl')
  if (curl === undefined) return
  const { app, url } = await filled(t)
  await app.tidings.end('default')
  const { stdout } = await promisify(execFile)(
    curl,
    ['-sS', '-i', '--compressed', `${url}/sse?cursor=earliest`],
    {
      maxBuffer: 2 ** 24,
    },
  )
  t.match(stdout, /\ncontent-encoding: gzip\r\n/)
  t.strictSame(dataOf(stdout), DATA)
})

t.test('fetch, and ws', async (t) => {
  const { app, url } = await filled(t)
  const socket = await openSocket(t, `${url}/ws?cursor=earliest`)
  t.equal(socket.ws.extensions, 'permessage-deflate')
  await socket.json()
  for (const data of DATA) t.strictSame((await socket.json()).data, data)
  await app.tidings.end('default')
  const response = await fetch(`${url}/sse?cursor=earliest`)
  t.equal(response.headers.get('content-encoding'), 'gzip')
  t.strictSame(dataOf(await response.text()), DATA)
})

t.test('the client of this package', async (t) => {
  const { app, url } = await filled(t)
  for (const transport of ['sse', 'ws'] as const) {
    const feed = connect(url, { transports: [transport], cursor: 'earliest', WebSocket: Socket })
    t.teardown(() => feed.close())
    const got = []
    for await (const { data } of feed) {
      got.push(data)
      if (got.length === DATA.length) break
    }
    t.strictSame(got, DATA, transport)
  }
  await app.tidings.end('default')
})

t.test('EventSource and WebSocket of Chromium, as each message comes', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  const { app, url } = await filled(t)
  const page = await browser.newPage()
  const coding = new Promise((resolve) => {
    page.on('response', (response) => {
      if (response.url().includes('/sse')) resolve(response.headers()['content-encoding'])
    })
  })
  await page.goto(url)
  await page.evaluate(() => {
    const got = { sse: [] as unknown[], ws: [] as unknown[], extensions: '' }
    Object.assign(globalThis, { got })
    const source = new EventSource('/sse?cursor=earliest')
    source.onmessage = ({ data }) => got.sse.push(JSON.parse(data).data)
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws?cursor=earliest`)
    socket.onopen = () => {
      got.extensions = socket.extensions
    }
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data)
      if (frame.type === undefined) got.ws.push(frame.data)
    }
  })
  const expected = [...DATA]
  for (const more of [undefined, 'live', 'live '.repeat(1000)]) {
    if (more !== undefined) {
      await app.tidings.publish('default', more)
      expected.push(more)
    }
    await page.waitForFunction((count) => {
      const { sse, ws } = (globalThis as unknown as { got: { sse: unknown[]; ws: unknown[] } }).got
      return sse.length === count && ws.length === count
    }, expected.length)
  }
  const got = await page.evaluate(
    () => (globalThis as unknown as { got: { sse: unknown[]; ws: unknown[]; extensions: string } }).got,
  )
  t.strictSame(got.sse, expected)
  t.strictSame(got.ws, expected)
  t.equal(await coding, 'gzip')
  t.match(got.extensions, /^permessage-deflate; server_no_context_takeover; client_no_context_takeover/)
})
