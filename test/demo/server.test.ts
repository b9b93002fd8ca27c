import { hostname } from 'node:os'
import t, { type Test } from 'tap'
import { type ServerOptions, serve, urlOf } from '../../demo/server.ts'
import { memoryBus } from '../../index.ts'
import { openRaw, openSocket, post } from '../helper.ts'

/** The app in this process, with nothing in the log. */
async function start(t: Test, options: ServerOptions = {}) {
  const app = await serve({ port: 0, logLevel: 'silent', ...options })
  t.teardown(() => app.close())
  return { app, url: urlOf(app).slice(0, -1), port: Number(new URL(urlOf(app)).port) }
}

/** The status of a GET with this Host header. */
async function statusFor(t: Test, port: number, host: string): Promise<number> {
  const { socket, until } = await openRaw(t, port)
  socket.write(`GET /poll HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  return Number((await until('\r\n')).split(' ')[1])
}

t.test('has the routes at the root, and clients may publish', async (t) => {
  const { app, url } = await start(t)
  t.equal((await post(`${url}/publish?channel=news`, 'hello')).status, 201)
  const polled = (await (await fetch(`${url}/poll?channel=news&cursor=earliest`)).json()) as object
  t.match(polled, { messages: [{ channel: 'news', data: 'hello' }] })
  t.match(await (await fetch(`${url}/stats`)).json(), { bus: { head: 1 } })
  const echo = await openSocket(t, `${url}/echo`)
  echo.send('back')
  t.equal(await echo.frame(), 'back')
  t.match(await app.tidings.publish('news', 1), { channel: 'news', data: 1 })
})

t.test('takes options of the plugin', async (t) => {
  const { url } = await start(t, { tidings: { publish: false, prefix: '/live' } })
  t.equal((await fetch(`${url}/live/poll`)).status, 200)
  t.equal((await post(`${url}/live/publish`, 'hello')).status, 404)
})

t.test('serves the page, with nothing from elsewhere', async (t) => {
  const { url } = await start(t)
  const page = await fetch(`${url}/`)
  t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  t.match(page.headers.get('content-security-policy'), /default-src 'self';.*frame-ancestors 'none'/)
  t.equal(page.headers.get('x-content-type-options'), 'nosniff')
  t.equal(page.headers.get('referrer-policy'), 'no-referrer')
  t.equal(page.headers.get('cache-control'), 'no-cache')
  const html = await page.text()
  // Links may lead elsewhere.
  for (const [, path] of html.replaceAll(/<a [^>]*>/g, '').matchAll(/(?:src|href)="([^"?]+)"/g)) {
    t.equal((await fetch(new URL(path!, `${url}/`))).status, 200, `${path}`)
  }
  t.equal((await fetch(`${url}/..%2fpackage.json`)).ok, false)
})

t.test('takes only its own names as Host', async (t) => {
  const { port } = await start(t, { allowHost: ['Tidings.example', '[::2]'] })
  const own = [
    'localhost',
    'LOCALHOST',
    'localhost.',
    `LocalHost.:${port}`,
    '127.0.0.1',
    `127.0.0.1:${port}`,
    hostname(),
  ]
  for (const host of [...own, 'tidings.example', 'tidings.example:443', '[::2]:80', '[0:0::2]:80']) {
    t.equal(await statusFor(t, port, host), 200, host)
  }
  const { socket, until } = await openRaw(t, Number(port))
  socket.write('GET /poll HTTP/1.0\r\n\r\n')
  t.match(await until('never'), /^HTTP\/1\.1 200 /, 'a health check without a name')
  for (const host of ['rebound.example', 'localhost.rebound.example', 'localhost..', '127.0.0.2', '[::1]']) {
    t.equal(await statusFor(t, port, host), 421, host)
  }
})

t.test('the Host check comes before an upgrade, the page and what is not there', async (t) => {
  const { port } = await start(t)
  const host = 'Host: rebound.example\r\nConnection: close, Upgrade'
  const upgrade =
    'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='
  for (const path of ['/ws', '/echo', '/', '/page.js', '/nowhere']) {
    const { socket, until } = await openRaw(t, port)
    socket.write(`GET ${path} HTTP/1.1\r\n${host}\r\n${upgrade}\r\n\r\n`)
    t.match(await until('never'), /^HTTP\/1\.1 421 /, `${path}, and then the connection ends`)
  }
})

t.test('on all addresses it is asked for by any of them', async (t) => {
  const { url, port } = await start(t, { host: '0.0.0.0' })
  t.equal(url, `http://localhost:${port}`)
  t.equal(await statusFor(t, port, '127.0.0.1'), 200)
  t.equal(await statusFor(t, port, 'rebound.example'), 421)
})

t.test('an IPv6 address stands in brackets', async (t) => {
  for (const host of ['::1', '[::1]']) {
    const { url } = await start(t, { host })
    t.match(url, /^http:\/\/\[::1\]:[0-9]+$/)
    t.equal((await fetch(`${url}/poll`)).status, 200)
  }
})

t.test('has bounds on connections and on how long a request may take to come', async (t) => {
  const { app } = await start(t)
  const { headersTimeout, requestTimeout, maxConnections } = app.server
  t.match(
    { headersTimeout, requestTimeout, maxConnections },
    {
      headersTimeout: 20_000,
      requestTimeout: 30_000,
      maxConnections: 20_000,
    },
  )
  app.server.maxConnections = 1
  const { port } = new URL(urlOf(app))
  const first = await openRaw(t, Number(port))
  const second = await openRaw(t, Number(port))
  t.equal(await second.until('never'), '', 'one too many is cut off')
  first.socket.write('GET /poll HTTP/1.1\r\nHost: localhost\r\n\r\n')
  t.match(await first.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
})

t.test('closes though a connection asks nothing', async (t) => {
  const { app, port } = await start(t)
  const { until } = await openRaw(t, port)
  await app.close()
  t.equal(await until('never'), '')
})

t.test('a port that is taken leaves nothing behind', async (t) => {
  const { port } = await start(t)
  await t.rejects(serve({ port, logLevel: 'silent' }), { code: 'EADDRINUSE' })
})

t.test('a fault of the app is answered with 500, and it goes on', async (t) => {
  const bus = memoryBus()
  bus.publish = () => Promise.reject(new Error('broken'))
  const { url } = await start(t, { tidings: { bus } })
  const failed = await post(`${url}/publish`, 'hello')
  t.match(failed, { status: 500, body: { code: 'TIDINGS_ERR_INTERNAL' } })
  t.notMatch(JSON.stringify(failed.body), 'broken', 'its text is for the log')
  t.equal((await fetch(`${url}/poll`)).status, 200)
})
