import t from 'tap'
import { build, openSocket } from '../helper.ts'
import { ask } from '../request.ts'

t.test('the first frame gives the place, and messages follow as envelopes', async (t) => {
  const { app, url } = await build(t)
  const before = await app.tidings.publish('default', 'before')
  const client = await openSocket(t, `${url}/ws`)
  t.strictSame(await client.json(), { type: 'ready', cursor: before.cursor })

  const text = await app.tidings.publish('default', 'é')
  const json = await app.tidings.publish('default', { n: 1 })
  const bytes = await app.tidings.publish('default', Uint8Array.of(0, 255))
  t.strictSame(await client.json(), { cursor: text.cursor, channel: 'default', time: text.time, data: 'é' })
  t.strictSame(await client.json(), {
    cursor: json.cursor,
    channel: 'default',
    time: json.time,
    data: { n: 1 },
  })
  t.strictSame(await client.json(), {
    cursor: bytes.cursor,
    channel: 'default',
    time: bytes.time,
    data: 'AP8=',
    encoding: 'base64',
  })
  t.equal(client.rest.length, 0)
})

t.test('a cursor replays what came after it', async (t) => {
  const { app, url } = await build(t)
  const first = await app.tidings.publish('a', 1)
  await app.tidings.publish('b', 'not asked for')
  await app.tidings.publish('c', 2)
  const client = await openSocket(t, `${url}/ws?channel=c&channel=a&cursor=${first.cursor}`)
  t.strictSame(await client.json(), { type: 'ready', cursor: first.cursor })
  t.equal((await client.json()).data, 2)
  await app.tidings.publish('a', 3)
  t.equal((await client.json()).data, 3)
})

t.test('earliest is all that is kept, and no gap', async (t) => {
  const { app, url } = await build(t, { retention: { messages: 1 } })
  const lost = await app.tidings.publish('a', 1)
  await app.tidings.publish('a', 2)
  const client = await openSocket(t, `${url}/ws?channel=a&cursor=earliest`)
  t.strictSame(await client.json(), { type: 'ready', cursor: lost.cursor })
  t.equal((await client.json()).data, 2)
})

t.test('a hole follows the place asked for', async (t) => {
  const { app, url } = await build(t, { retention: { messages: 1 } })
  const first = await app.tidings.publish('default', 1)
  const second = await app.tidings.publish('default', 2)
  const third = await app.tidings.publish('default', 3)

  const trimmed = await openSocket(t, `${url}/ws?cursor=${first.cursor}`)
  t.strictSame(await trimmed.json(), { type: 'ready', cursor: first.cursor })
  t.strictSame(await trimmed.json(), { type: 'gap', reason: 'trimmed', cursor: second.cursor })
  t.equal((await trimmed.json()).data, 3)

  const epoch = await openSocket(t, `${url}/ws?cursor=another.7`)
  t.strictSame(await epoch.json(), { type: 'ready', cursor: 'another.7' })
  t.strictSame(await epoch.json(), { type: 'gap', reason: 'epoch', cursor: second.cursor })
  t.equal((await epoch.json()).data, 3)

  const far = `${app.tidings.bus.log.epoch}.99`
  const ahead = await openSocket(t, `${url}/ws?cursor=${far}`)
  t.strictSame(await ahead.json(), { type: 'ready', cursor: far })
  t.strictSame(await ahead.json(), { type: 'gap', reason: 'ahead', cursor: third.cursor })
  await app.tidings.publish('default', 4)
  t.equal((await ahead.json()).data, 4)

  const past = await openSocket(t, `${url}/ws?cursor=${third.cursor}`)
  t.strictSame(await past.json(), { type: 'ready', cursor: third.cursor })
  t.equal((await past.json()).data, 4, 'not told again at the cursor of a gap')
})

t.test('alone it reads the default channel, and an empty name none', async (t) => {
  const { app, url } = await build(t)
  const alone = await openSocket(t, `${url}/ws`)
  const none = await openSocket(t, `${url}/ws?channel=`)
  await alone.json()
  await none.json()
  const { cursor } = await app.tidings.publish('default', 1)
  t.equal((await alone.json()).data, 1)
  none.send({ type: 'ping' })
  t.strictSame(await none.json(), { type: 'pong', cursor })
  none.send({ type: 'subscribe', channel: 'a', ref: 1 })
  t.strictSame(await none.json(), { type: 'subscribed', ref: 1, channel: 'a', cursor })
  await app.tidings.publish('a', 2)
  t.equal((await none.json()).data, 2)
})

t.test('the place of a ping moves with the log, whoever it is for', async (t) => {
  const { app, url } = await build(t)
  const client = await openSocket(t, `${url}/ws?channel=quiet`)
  await client.json()
  const { cursor } = await app.tidings.publish('loud', 1)
  client.send({ type: 'ping', ref: 'x' })
  t.strictSame(await client.json(), { type: 'pong', ref: 'x', cursor })
})

t.test('what is wrong with the query is said before the upgrade', async (t) => {
  const { url } = await build(t)
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  const many = Array.from({ length: 33 }, (_, i) => `channel=c${i}`).join('&')
  for (const [query, name] of [
    ['channel=a%20b', 'channel'],
    ['channel=&channel=a', 'channel'],
    [many, 'channel'],
    ['cursor=1', 'cursor'],
    ['cursor=', 'cursor'],
    ['cursor=abcd.1&cursor=abcd.2', 'cursor'],
    ['format=xml', 'format'],
    ['format=raw&channel=a&channel=b', 'format'],
    ['format=raw&channel=', 'format'],
  ] as const) {
    const answer = await ask(`${url}/ws?${query}`, { headers })
    t.equal(answer.status, 400, query)
    t.match(answer.json.message, `'${name}'`, query)
    t.equal(answer.headers['cache-control'], 'no-store')
  }
})
