import t from 'tap'
import { build, openRaw, openSocket } from '../helper.ts'
import { handshake } from '../raw-socket.ts'
import { ask } from '../request.ts'

const HEADERS = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** A handshake with some headers changed, or, where undefined, left out. */
function headers(changed: Record<string, string | string[] | undefined>) {
  const all = { ...HEADERS, ...changed }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

for (const path of ['/ws', '/echo']) {
  t.test(`any version but 13: 426 on ${path}`, async (t) => {
    const { url } = await build(t, { echo: true })
    for (const version of ['8', '17', '12', '013', '13, 8', '', undefined]) {
      const answer = await ask(url + path, { headers: headers({ 'sec-websocket-version': version }) })
      t.equal(answer.status, 426, String(version))
      t.equal(answer.headers['sec-websocket-version'], '13')
      t.equal(answer.headers.upgrade, 'websocket')
      t.match(answer.headers.connection, /upgrade/)
      t.match(answer.json, { statusCode: 426, code: 'TIDINGS_ERR_WS_VERSION' })
    }
  })

  t.test(`a key that is missing, malformed or there twice: 400 on ${path}`, async (t) => {
    const { url } = await build(t, { echo: true })
    const key = HEADERS['sec-websocket-key']
    for (const bad of [undefined, '', 'x', key.slice(1), `${key}=`, 'dGhlIHNhbXBsZSBub25jZQ', [key, key]]) {
      const answer = await ask(url + path, { headers: headers({ 'sec-websocket-key': bad }) })
      t.equal(answer.status, 400, String(bad))
      t.match(answer.json, { code: 'TIDINGS_ERR_WS_KEY', message: /Sec-WebSocket-Key/ })
      t.equal(answer.headers['sec-websocket-version'], undefined)
    }
  })

  t.test(`HTTP/1.0 has no upgrades: 426 on ${path}`, async (t) => {
    const { port } = await build(t, { echo: true })
    const raw = await openRaw(t, port)
    raw.socket.write(handshake(path).replace('HTTP/1.1', 'HTTP/1.0'))
    t.match(await raw.until('TIDINGS_ERR_UPGRADE'), /^HTTP\/1\.1 426 /)
  })

  t.test(`a request for anything else: 426 on ${path}, and the connection lives on`, async (t) => {
    const { url, port } = await build(t, { echo: true })
    for (const changed of [
      { connection: undefined, upgrade: undefined },
      { upgrade: 'h2c' },
      { upgrade: 'h2c, websocket' },
      { connection: 'keep-alive' },
    ]) {
      const answer = await ask(url + path, { headers: headers(changed) })
      t.equal(answer.status, 426)
      t.equal(answer.headers.upgrade, 'websocket')
      // Without a header of its own node:http asks for the connection's end.
      const asksForEnd = 'connection' in changed && changed.connection === undefined
      t.equal(answer.headers.connection, asksForEnd ? 'upgrade, close' : 'upgrade')
      t.match(answer.json, { code: 'TIDINGS_ERR_UPGRADE' })
    }
    const raw = await openRaw(t, port)
    raw.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\nGET ${path}?2 HTTP/1.1\r\nHost: x\r\n\r\n`)
    raw.socket.write('GET /poll?format=wrong HTTP/1.1\r\nHost: x\r\n\r\n')
    const text = await raw.until('HTTP/1.1 400')
    t.equal(text.split('HTTP/1.1 426 ').length, 3)
    const head = await ask(url + path, { method: 'HEAD', headers: HEADERS })
    t.equal(head.status, 404)
  })

  t.test(`a foreign origin: 403 on ${path}`, async (t) => {
    const { url, port } = await build(t, { echo: true, origins: ['https://friend.example'] })
    for (const origin of ['https://foe.example', 'null', `http://127.0.0.1:${port + 1}`, 'x']) {
      const answer = await ask(url + path, { headers: headers({ origin }) })
      t.equal(answer.status, 403, origin)
      t.match(answer.json, { code: 'TIDINGS_ERR_ORIGIN' })
    }
    for (const origin of ['https://friend.example', url, undefined]) {
      const raw = await openRaw(t, port)
      raw.socket.write(handshake(path, { host: `127.0.0.1:${port}`, ...(origin && { origin }) }))
      t.match(await raw.until('\r\n\r\n'), /^HTTP\/1\.1 101 /, String(origin))
    }
  })

  t.test(`over the limit: 503 with Retry-After on ${path}, before the upgrade`, async (t) => {
    const { url } = await build(t, { echo: true, maxReaders: 1 })
    const first = await openSocket(t, `${url}/ws`)
    const answer = await ask(url + path, { headers: HEADERS })
    t.equal(answer.status, 503)
    t.match(answer.json, { code: 'TIDINGS_ERR_READERS' })
    const seconds = Number(answer.headers['retry-after'])
    t.ok(seconds >= 5 && seconds <= 15)
    first.ws.close()
    await first.closed
    // The server has released it when it answers: the close was its own last word.
    for (;;) {
      const again = await openSocket(t, url + path).catch(() => undefined)
      if (again !== undefined) break
    }
    t.pass('and in again')
  })

  t.test(`the subprotocol of ${path}`, async (t) => {
    const { url } = await build(t, { echo: true })
    for (const [offered, selected] of [
      [['tidings'], 'tidings'],
      [['other', 'tidings'], 'tidings'],
      [[], ''],
    ] as const) {
      const client = await openSocket(t, url + path, [...offered])
      t.equal(client.ws.protocol, selected)
    }
  })
}

t.test('of other subprotocols none is selected', async (t) => {
  const { port } = await build(t)
  const raw = await openRaw(t, port)
  raw.socket.write(handshake('/ws', { 'sec-websocket-protocol': 'a, b' }))
  const text = await raw.until('\r\n\r\n')
  t.match(text, /^HTTP\/1\.1 101 /)
  t.notMatch(text, /sec-websocket-protocol/i)
})

t.test('no extension is agreed to', async (t) => {
  const { port } = await build(t)
  const raw = await openRaw(t, port)
  raw.socket.write(handshake('/ws', { 'sec-websocket-extensions': 'permessage-deflate' }))
  t.notMatch(await raw.until('\r\n\r\n'), /extensions/i)
})

t.test('a refused handshake ends the connection, whose socket was taken', async (t) => {
  const { port } = await build(t)
  const raw = await openRaw(t, port)
  raw.socket.write(handshake('/ws', { 'sec-websocket-version': '8' }))
  const text = await raw.until('never')
  t.match(text, /^HTTP\/1\.1 426 [\s\S]*connection: upgrade, close/i)
  t.ok(raw.socket.destroyed)
})

t.test('other methods get 404, whatever they ask for', async (t) => {
  const { url } = await build(t, { echo: true })
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    for (const path of ['/ws', '/echo']) {
      t.equal((await ask(url + path, { method, headers: HEADERS })).status, 404, `${method} ${path}`)
    }
  }
})

t.test('the socket is not there where the transport is not offered', async (t) => {
  const { url } = await build(t, { transports: ['poll'] })
  t.equal((await ask(`${url}/ws`, { headers: HEADERS })).status, 404)
})
