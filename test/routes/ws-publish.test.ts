import t from 'tap'
import { build, openSocket, type SocketClient } from '../helper.ts'

/** A socket that reads `default`, behind its first frame. */
async function opened(t: Parameters<typeof openSocket>[0], url: string): Promise<SocketClient> {
  const client = await openSocket(t, `${url}/ws`)
  await client.json()
  return client
}

/** The next frame that is no message. */
async function answer(client: SocketClient) {
  for (;;) {
    const frame = await client.json()
    if (frame.type !== undefined) return frame
  }
}

t.test('what a publish frame carries becomes text, JSON or bytes', async (t) => {
  const { app, url } = await build(t, { publish: true })
  const client = await opened(t, url)
  const wanted = [
    ['"text é 😀"', 'text', '"text é 😀"'],
    ['""', 'text', '""'],
    ['null', 'json', 'null'],
    ['false', 'json', 'false'],
    ['12345678901234567890.10', 'json', '12345678901234567890.10'],
    ['[ 1,\n 2\r\n]', 'json', '[ 1,  2  ]'],
    ['{"data":"}", "n": 1e400}', 'json', '{"data":"}", "n": 1e400}'],
    ['"AP8=","encoding":"base64"', 'bytes', '"AP8=","encoding":"base64"'],
    ['"","encoding":"base64"', 'bytes', '"","encoding":"base64"'],
  ]
  for (const [data, kind, stored] of wanted) {
    client.send(`{"type":"publish","channel":"other","data":${data},"ref":1}`)
    const { cursor, ...rest } = await client.json()
    t.strictSame(rest, { type: 'published', ref: 1 })
    const { log } = app.tidings.bus
    t.equal(cursor, log.cursor(log.head))
    const [entry] = log.read(['other'], log.head - 1, { limit: 1, bytes: 1000 }).entries
    t.equal(entry!.kind, kind)
    t.match(entry!.envelope, new RegExp(`"data":${stored!.replace(/[[\].{}+]/g, '\\$&')}}$`))
  }
})

t.test('without a channel it goes to the default one, and the socket gets its own copy', async (t) => {
  const { url } = await build(t, { publish: true })
  const client = await opened(t, url)
  client.send({ type: 'publish', data: 1 })
  const frames = [await client.json(), await client.json()]
  const published = frames.find((frame) => frame.type === 'published')
  const message = frames.find((frame) => frame.type === undefined)
  t.strictSame(Object.keys(published).sort(), ['cursor', 'type'])
  t.equal(message.cursor, published.cursor)
  t.equal(message.data, 1)
})

t.test('a ref comes back to the letter', async (t) => {
  const { url } = await build(t, { publish: true })
  const client = await opened(t, url)
  for (const ref of [
    '7',
    '-0.0',
    '12345678901234567890',
    '"a\\u0041\\""',
    'null',
    '[ 1,{"x" : []} ]',
    '{}',
  ]) {
    client.send(`{ "ref" : ${ref} , "type":"ping" }`)
    t.match(
      await client.frame(),
      new RegExp(`^{"type":"pong","ref":${ref.replace(/[\\[\]{}.]/g, '\\$&')},`),
      ref,
    )
    client.send(`{"ref":${ref}}`)
    t.ok(
      ((await client.frame()) as string).startsWith(
        `{"type":"error","ref":${ref},"code":"TIDINGS_ERR_FRAME"`,
      ),
    )
  }
  client.send('{"type":"ping"}')
  t.strictSame(Object.keys(await client.json()), ['type', 'cursor'])
})

t.test('a key publishes once', async (t) => {
  const { app, url } = await build(t, { publish: true })
  const client = await opened(t, url)
  client.send({ type: 'publish', channel: 'a', data: 1, key: 'k', ref: 1 })
  const first = await client.json()
  client.send({ type: 'publish', channel: 'a', data: 1, key: 'k', ref: 1 })
  t.strictSame(await client.json(), first)
  t.equal(app.tidings.bus.log.head, 1)
  client.send({ type: 'publish', channel: 'a', data: 2, key: 'k', ref: 2 })
  t.match(await client.json(), { type: 'error', ref: 2, code: 'TIDINGS_ERR_KEY_REUSED', message: String })
  client.send({ type: 'publish', channel: 'b', data: 2, key: 'k', ref: 3 })
  t.match(await client.json(), { type: 'published', ref: 3 })
  const response = await fetch(`${url}/publish?channel=a`, {
    method: 'POST',
    body: '1',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'k' },
  })
  t.equal(response.status, 200, 'one memory of keys for all ways to publish')
})

t.test('what a publish frame gets wrong is told, and the socket stays open', async (t) => {
  const { app, url } = await build(t, { publish: true, payloadLimit: 10 })
  const client = await opened(t, url)
  const wrong: [object, string, RegExp][] = [
    [{}, 'DATA', /'data' is missing/],
    [{ data: 1, channel: 'a b' }, 'CHANNEL', /'channel'/],
    [{ data: 1, channel: null }, 'CHANNEL', /'channel'/],
    [{ data: 1, channel: ['a'] }, 'CHANNEL', /'channel'/],
    [{ data: 'AP8=', encoding: 'hex' }, 'DATA', /'encoding'/],
    [{ data: 'AP8=', encoding: null }, 'DATA', /'encoding'/],
    [{ data: 'AP8', encoding: 'base64' }, 'DATA', /base64/],
    [{ data: 'AP-_', encoding: 'base64' }, 'DATA', /base64/],
    [{ data: 7, encoding: 'base64' }, 'DATA', /base64/],
    [{ encoding: 'base64' }, 'DATA', /base64/],
    [{ data: 1, key: '' }, 'KEY', /'key'/],
    [{ data: 1, key: null }, 'KEY', /'key'/],
    [{ data: 1, key: 'k'.repeat(129) }, 'KEY', /'key'/],
    [{ data: '12345678901' }, 'TOO_LARGE', /11 bytes; at most 10/],
    [{ data: 'ééééé6' }, 'TOO_LARGE', /11 bytes; at most 10/],
    [{ data: [1, 2, 3, 4, 5] }, 'TOO_LARGE', /11 bytes; at most 10/],
    [{ data: Buffer.alloc(11).toString('base64'), encoding: 'base64' }, 'TOO_LARGE', /11 bytes; at most 10/],
  ]
  for (const [members, code, message] of wrong) {
    client.send({ type: 'publish', ref: 'r', ...members })
    t.match(await client.json(), { type: 'error', ref: 'r', code: `TIDINGS_ERR_${code}`, message })
  }
  t.equal(app.tidings.bus.log.head, 0)
  client.send({ type: 'publish', data: Buffer.alloc(10).toString('base64'), encoding: 'base64' })
  t.equal((await answer(client)).type, 'published', 'the limit itself is allowed')
})

t.test('where clients may not publish, the frame is refused', async (t) => {
  const { app, url } = await build(t)
  const client = await opened(t, url)
  client.send({ type: 'publish', data: 1, ref: 1 })
  t.match(await client.json(), { type: 'error', ref: 1, code: 'TIDINGS_ERR_NO_PUBLISH' })
  t.equal(app.tidings.bus.log.head, 0)
})

t.test('each byte of a payload may be written as six', async (t) => {
  const { url } = await build(t, { publish: true })
  const client = await opened(t, url)
  client.send(`{"type":"publish","data":"${'\\u0001'.repeat(64 * 1024)}"}`)
  t.equal((await answer(client)).type, 'published')
})
