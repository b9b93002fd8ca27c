import t from 'tap'
import { build, type Frame, openRaw } from '../helper.ts'
import { type Asked, ask } from '../request.ts'

/** Publishes, and reads back what was published: its envelope, or nothing. */
async function publish(url: string, asked: Asked, channel = 'news') {
  const place = (await ask(`${url}/poll?channel=${channel}`)).json.cursor
  const answer = await ask(`${url}/publish?channel=${channel}`, { method: 'POST', ...asked })
  const read = await ask(`${url}/poll?channel=${channel}&cursor=${place}`)
  const messages: Frame[] = read.status === 200 ? read.json.messages : []
  return { answer, messages }
}

t.test('a body becomes what its type calls it', async (t) => {
  const { url } = await build(t, { publish: true })
  const rows: [string | undefined, string | Uint8Array, unknown, 'base64'?][] = [
    ['application/json', '{"a":1}', { a: 1 }],
    ['application/json; charset=utf-8', 'null', null],
    ['Application/JSON', '"text"', 'text'],
    ['application/vnd.api+json', '[1]', [1]],
    ['application/json', '\r\n[1,\r\n 2]\n', [1, 2]],
    ['text/plain', 'été', 'été'],
    ['text/html', '<p>', '<p>'],
    ['TEXT/CSV', 'a,b\r\n', 'a,b\r\n'],
    ['text/plain; charset=utf-8', 'é', 'é'],
    ['text/plain; charset="UTF-8"', 'é', 'é'],
    ['text/plain; format=flowed; charset=us-ascii', 'e', 'e'],
    ['application/x-www-form-urlencoded', 'a=b&c=%20', 'a=b&c=%20'],
    [undefined, 'no type', 'no type'],
    ['application/octet-stream', Buffer.from([0, 255]), 'AP8=', 'base64'],
    ['image/png', 'text', 'dGV4dA==', 'base64'],
    ['image/svg+xml', '<svg/>', 'PHN2Zy8+', 'base64'],
    ['multipart/form-data; boundary=x', '--x--', 'LS14LS0=', 'base64'],
  ]
  for (const [type, body, data, encoding] of rows) {
    const { answer, messages } = await publish(url, {
      headers: { ...(type !== undefined && { 'content-type': type }) },
      body,
    })
    const name = `${type}: ${body}`
    t.equal(answer.status, 201, name)
    t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
    t.equal(answer.headers['cache-control'], 'no-store')
    const { cursor, channel, time } = answer.json
    t.strictSame(Object.keys(answer.json), ['cursor', 'channel', 'time'])
    t.equal(channel, 'news')
    t.strictSame(messages, [{ cursor, channel, time, data, ...(encoding && { encoding }) }], name)
  }
})

t.test('no digit is lost, and line ends between tokens become spaces', async (t) => {
  const { url } = await build(t, { publish: true })
  const body = '{"n":12345678901234567890.10,\r\n"s":"\\r\\n"}'
  await ask(`${url}/publish`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const { text } = await ask(`${url}/poll?cursor=earliest&format=raw`)
  t.equal(text, '{"n":12345678901234567890.10,  "s":"\\r\\n"}')
})

t.test('the empty body', async (t) => {
  const { url } = await build(t, { publish: true })
  const rows: [string | undefined, number, unknown[]][] = [
    [undefined, 201, ['']],
    ['text/plain', 201, ['']],
    ['application/x-www-form-urlencoded', 201, ['']],
    ['application/octet-stream', 201, ['']],
    ['application/json', 400, []],
  ]
  for (const [type, status, data] of rows) {
    for (const framing of [{ 'content-length': 0 }, { 'transfer-encoding': 'chunked' }]) {
      const { answer, messages } = await publish(url, {
        headers: { ...framing, ...(type !== undefined && { 'content-type': type }) },
      })
      t.equal(answer.status, status, `${type}, ${JSON.stringify(framing)}`)
      t.strictSame(
        messages.map((message) => message.data),
        data,
      )
    }
  }
})

t.test('neither a type nor a length', async (t) => {
  const { app, port } = await build(t, { publish: true })
  const raw = await openRaw(t, port)
  raw.socket.write('POST /publish HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  t.match(await raw.until('"time"'), /^HTTP\/1\.1 201 /)
  t.equal(app.tidings.bus.log.head, 1)
})

t.test('what is refused publishes nothing', async (t) => {
  const { url, app } = await build(t, { publish: true, payloadLimit: 10 })
  const rows: [string, number, string, Asked['headers'], (string | Uint8Array)?, string?][] = [
    ['not JSON', 400, 'TIDINGS_ERR_JSON', { 'content-type': 'application/json' }, '{'],
    [
      'JSON, not UTF-8',
      400,
      'TIDINGS_ERR_UTF8',
      { 'content-type': 'application/json' },
      Buffer.from('"\xff"', 'latin1'),
    ],
    ['text, not UTF-8', 400, 'TIDINGS_ERR_UTF8', { 'content-type': 'text/plain' }, Buffer.from([0xff])],
    ['no type, not UTF-8', 400, 'TIDINGS_ERR_UTF8', {}, Buffer.from([0xc3])],
    ['charset', 415, 'TIDINGS_ERR_CHARSET', { 'content-type': 'text/plain; charset=latin1' }],
    ['form', 415, 'TIDINGS_ERR_CHARSET', { 'content-type': 'application/x-www-form-urlencoded;charset=x' }],
    ['no subtype', 415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', { 'content-type': 'text' }],
    ['empty subtype', 415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', { 'content-type': 'text/' }],
    ['space', 415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', { 'content-type': 'te xt/plain' }],
    ['empty type', 415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', { 'content-type': '' }],
    ['gzip', 415, 'TIDINGS_ERR_ENCODING', { 'content-encoding': 'gzip' }],
    ['too large', 413, 'FST_ERR_CTP_BODY_TOO_LARGE', { 'content-type': 'text/plain' }, 'x'.repeat(11)],
    ['too large, no type', 413, 'FST_ERR_CTP_BODY_TOO_LARGE', {}, 'é'.repeat(6)],
    [
      'too large, by parts',
      413,
      'FST_ERR_CTP_BODY_TOO_LARGE',
      { 'transfer-encoding': 'chunked' },
      'x'.repeat(11),
    ],
    ['channel', 400, 'TIDINGS_ERR_CHANNEL', {}, 'x', '?channel=a%20b'],
    ['empty channel', 400, 'TIDINGS_ERR_CHANNEL', {}, 'x', '?channel='],
    ['two channels', 400, 'TIDINGS_ERR_CHANNEL', {}, 'x', '?channel=a&channel=b'],
    ['empty key', 400, 'TIDINGS_ERR_KEY', { 'idempotency-key': '' }],
    ['long key', 400, 'TIDINGS_ERR_KEY', { 'idempotency-key': 'k'.repeat(129) }],
  ]
  for (const [name, status, code, headers, body = 'x', query = ''] of rows) {
    const answer = await ask(`${url}/publish${query}`, {
      method: 'POST',
      headers,
      body,
    })
    t.equal(answer.status, status, name)
    t.equal(answer.json.code, code, name)
    t.equal(answer.json.statusCode, status)
    t.equal(answer.headers['cache-control'], 'no-store', `${name}: not stored`)
    if (code === 'TIDINGS_ERR_CHANNEL') t.match(answer.json.message, "'channel'")
    if (code === 'TIDINGS_ERR_KEY') t.match(answer.json.message, "'Idempotency-Key'")
  }
  t.equal(app.tidings.bus.log.head, 0)

  const { status } = await ask(`${url}/publish`, { method: 'POST', body: 'x'.repeat(10) })
  t.equal(status, 201, 'as large as it may be')
})

t.test('64 KiB unless set otherwise; the identity coding; the default channel', async (t) => {
  const { url } = await build(t, { publish: true })
  const at = await ask(`${url}/publish`, { method: 'POST', body: 'x'.repeat(65_536) })
  t.equal(at.status, 201)
  t.equal(at.json.channel, 'default')
  const over = await ask(`${url}/publish`, { method: 'POST', body: 'x'.repeat(65_537) })
  t.equal(over.status, 413)
  const identity = await ask(`${url}/publish`, {
    method: 'POST',
    headers: { 'content-encoding': 'Identity' },
    body: 'x',
  })
  t.equal(identity.status, 201)
})

t.test('what the log could not hold: 413', async (t) => {
  const { url, app } = await build(t, { publish: true, retention: { bytes: 300 } })
  const { status, json } = await ask(`${url}/publish`, { method: 'POST', body: 'x'.repeat(300) })
  t.equal(status, 413)
  t.equal(json.code, 'TIDINGS_ERR_TOO_LARGE')
  t.equal(app.tidings.bus.log.head, 0)
})

t.test('Idempotency-Key', async (t) => {
  const { url, app } = await build(t, { publish: true, retention: { keys: 2, messages: 1 } })
  const key = 'k'.repeat(128)
  const send = (body: string, { key: sent = key, channel = 'news', type = 'text/plain' } = {}) =>
    ask(`${url}/publish?channel=${channel}`, {
      method: 'POST',
      headers: { 'idempotency-key': sent, 'content-type': type },
      body,
    })
  const first = await send('1')
  t.equal(first.status, 201)
  await app.tidings.publish('news', 'the first is trimmed')
  const again = await send('1')
  t.equal(again.status, 200, 'a repeat')
  t.equal(again.text, first.text, 'the first answer')
  t.equal(app.tidings.bus.log.head, 2, 'nothing was published')

  for (const reused of [await send('2'), await send('1', { type: 'application/json' })]) {
    t.equal(reused.status, 422, 'another payload')
    t.equal(reused.json.code, 'TIDINGS_ERR_KEY_REUSED')
  }
  t.equal((await send('1', { channel: 'sport' })).status, 201, 'another channel has its own keys')
  const full = await send('1', { key: 'other' })
  t.equal(full.status, 503, 'past the bound')
  t.equal(full.json.code, 'TIDINGS_ERR_KEYS_FULL')
  t.equal((await send('1')).status, 200, 'a repeat past the bound')
  t.equal(app.tidings.bus.log.head, 3)
})

t.test('Origin', async (t) => {
  const { port } = await build(t, {
    publish: true,
    origins: ['https://shop.example', /^https:\/\/[a-z]+\.trusted\.example$/g],
  })
  const send = async (origin: string | undefined, host = `127.0.0.1:${port}`) => {
    const headers = { host, ...(origin !== undefined && { origin }) }
    const { status, json } = await ask(`http://127.0.0.1:${port}/publish`, { method: 'POST', headers })
    return status === 403 ? json.code : status
  }
  const rows: [string | undefined, number | string, string?][] = [
    [undefined, 201],
    [`http://127.0.0.1:${port}`, 201],
    ['http://app.example', 201, 'app.example'],
    ['http://app.example', 201, 'app.example:80'],
    ['https://app.example', 201, 'app.example:443'],
    ['https://app.example', 201, 'APP.example'],
    ['http://app.example:8080', 201, 'app.example:8080'],
    ['http://app.example:8080', 'TIDINGS_ERR_ORIGIN', 'app.example'],
    ['http://app.example', 'TIDINGS_ERR_ORIGIN', 'app.example:8080'],
    ['http://app.example', 'TIDINGS_ERR_ORIGIN', 'not a host'],
    ['http://evil.example', 'TIDINGS_ERR_ORIGIN'],
    ['null', 'TIDINGS_ERR_ORIGIN'],
    ['', 'TIDINGS_ERR_ORIGIN'],
    ['file://', 'TIDINGS_ERR_ORIGIN'],
    ['not an origin', 'TIDINGS_ERR_ORIGIN'],
    ['https://shop.example', 201],
    ['https://shop.example.evil.example', 'TIDINGS_ERR_ORIGIN'],
    ['http://shop.example', 'TIDINGS_ERR_ORIGIN'],
    ['https://www.trusted.example', 201],
    ['https://www.trusted.example', 201],
    ['https://www.trusted.example.evil', 'TIDINGS_ERR_ORIGIN'],
  ]
  for (const [origin, answer, host] of rows) {
    t.equal(await send(origin, host), answer, `${origin} at ${host ?? 'its own'}`)
  }
})

t.test("origins: ['*'] lets all in, null too", async (t) => {
  const { url } = await build(t, { publish: true, origins: ['*'] })
  for (const origin of ['null', 'https://any.example']) {
    t.equal((await ask(`${url}/publish`, { method: 'POST', headers: { origin } })).status, 201)
  }
})

t.test('the own host behind a proxy is what trustProxy says', async (t) => {
  const headers = { origin: 'https://app.example', 'x-forwarded-host': 'app.example' }
  const { url } = await build(t, { publish: true }, { server: { trustProxy: true } })
  t.equal((await ask(`${url}/publish`, { method: 'POST', headers })).status, 201)
  const untrusting = await build(t, { publish: true })
  t.equal((await ask(`${untrusting.url}/publish`, { method: 'POST', headers })).status, 403)
})

t.test('the route is not there where clients may not publish', async (t) => {
  const { url } = await build(t)
  t.equal((await ask(`${url}/publish`, { method: 'POST', body: 'x' })).status, 404)
  t.equal((await ask(`${url}/poll`)).status, 200)
})

t.test('a transfer coding other than chunked is 501', async (t) => {
  const { app, port } = await build(t, { publish: true })
  const chunked = '5\r\nhello\r\n0\r\n\r\n'
  for (const [coding, status] of [
    ['chunked', 201],
    ['Chunked', 201],
    ['gzip, chunked', 501],
    ['identity, chunked', 501],
    ['chunked;q=1, chunked', 501],
    ['x-mine,chunked', 501],
    ['gzip', 501],
    ['identity', 501],
  ] as const) {
    const { head } = app.tidings.bus.log
    const raw = await openRaw(t, port)
    raw.socket.write(
      `POST /publish HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: ${coding}\r\n\r\n${chunked}`,
    )
    const answer = await raw.until('no such mark')
    t.match(answer, new RegExp(`^HTTP/1.1 ${status} `), coding)
    if (status === 501) t.match(answer, /TIDINGS_ERR_TRANSFER.*'Transfer-Encoding'/)
    t.equal(app.tidings.bus.log.head, head + (status === 201 ? 1 : 0))
  }
})
