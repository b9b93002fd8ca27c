import t from 'tap'
import { build, openSocket, type SocketClient } from '../helper.ts'

async function opened(t: Parameters<typeof openSocket>[0], url: string, query = 'channel=a') {
  const client = await openSocket(t, `${url}/ws?${query}`)
  await client.json()
  return client
}

/** The next frames, as far as the test looks at them. */
async function next(client: SocketClient, count: number): Promise<unknown[]> {
  const frames = []
  for (let i = 0; i < count; i++) {
    const { type, data, channel, ref } = await client.json()
    frames.push(
      type === undefined
        ? `${channel}:${data}`
        : [type, channel, ref].filter((x) => x !== undefined).join(' '),
    )
  }
  return frames
}

t.test('a channel is added from now on, and taken away', async (t) => {
  const { app, url } = await build(t)
  await app.tidings.publish('b', 'before')
  const client = await opened(t, url)
  client.send({ type: 'subscribe', channel: 'b', ref: 1 })
  const { cursor } = app.tidings.bus.log.nothing
  t.strictSame(await client.json(), { type: 'subscribed', ref: 1, channel: 'b', cursor })
  await app.tidings.publish('a', 1)
  await app.tidings.publish('b', 2)
  t.strictSame(await next(client, 2), ['a:1', 'b:2'])

  client.send({ type: 'unsubscribe', channel: 'a', ref: 2 })
  t.strictSame(await client.json(), { type: 'unsubscribed', ref: 2, channel: 'a' })
  await app.tidings.publish('a', 3)
  await app.tidings.publish('b', 4)
  t.strictSame(await next(client, 1), ['b:4'])

  client.send({ type: 'unsubscribe', channel: 'b' })
  t.strictSame(await client.json(), { type: 'unsubscribed', channel: 'b' })
  await app.tidings.publish('b', 5)
  client.send({ type: 'subscribe', channel: 'a', cursor: 'now' })
  t.equal((await client.json()).type, 'subscribed')
  await app.tidings.publish('a', 6)
  t.strictSame(await next(client, 1), ['a:6'])
})

t.test('the default channel is meant where none is named', async (t) => {
  const { app, url } = await build(t)
  const client = await opened(t, url)
  client.send({ type: 'subscribe' })
  t.match(await client.json(), { type: 'subscribed', channel: 'default' })
  await app.tidings.publish('default', 1)
  t.strictSame(await next(client, 1), ['default:1'])
})

t.test('an older cursor is replayed up to the place, with nothing between', async (t) => {
  const { app, url } = await build(t, { publish: true })
  const cursors = []
  for (let i = 0; i < 5; i++) cursors.push((await app.tidings.publish('b', i)).cursor)
  const client = await opened(t, url)
  // One piece: the message of `a` is published while the replay is asked for.
  client.send({ type: 'publish', channel: 'a', data: 'live', ref: 1 })
  client.send({ type: 'subscribe', channel: 'b', cursor: cursors[1], ref: 2 })
  client.send({ type: 'publish', channel: 'b', data: 'live', ref: 3 })
  const seen = await next(client, 8)
  const replay = seen.indexOf('b:2')
  t.strictSame(seen.slice(replay, replay + 4), ['b:2', 'b:3', 'b:4', 'subscribed b 2'])
  t.strictSame(
    seen.filter((each) => each === 'a:live' || each === 'b:live'),
    ['a:live', 'b:live'],
  )
  t.ok(seen.indexOf('b:live') > replay + 3)
  t.ok(seen.includes('published 1') && seen.includes('published 3'))
})

t.test('a long replay comes whole, and earliest is all that is kept', async (t) => {
  const { app, url } = await build(t)
  const count = 2500
  for (let i = 0; i < count; i++) await app.tidings.publish('b', i)
  const client = await opened(t, url)
  client.send({ type: 'subscribe', channel: 'b', cursor: 'earliest' })
  for (let i = 0; i < count; i++) {
    const { data } = await client.json()
    if (data !== i) t.equal(data, i)
  }
  t.match(await client.json(), { type: 'subscribed', cursor: app.tidings.bus.log.nothing.cursor })
})

t.test('a hole in the replay names channel and ref, and is told once', async (t) => {
  const { app, url } = await build(t, { retention: { messages: 2 } })
  const { cursor: first } = await app.tidings.publish('b', 1)
  const { cursor: second } = await app.tidings.publish('b', 2)
  await app.tidings.publish('b', 3)
  await app.tidings.publish('b', 4)

  const trimmed = await opened(t, url)
  trimmed.send({ type: 'subscribe', channel: 'b', cursor: first, ref: [1] })
  t.strictSame(await trimmed.json(), {
    type: 'gap',
    reason: 'trimmed',
    cursor: second,
    channel: 'b',
    ref: [1],
  })
  t.strictSame(await next(trimmed, 3), ['b:3', 'b:4', 'subscribed b 1'])

  const epoch = await opened(t, url)
  epoch.send({ type: 'subscribe', channel: 'b', cursor: 'another.1', ref: 2 })
  t.strictSame(await epoch.json(), { type: 'gap', reason: 'epoch', cursor: second, channel: 'b', ref: 2 })
  t.strictSame(await next(epoch, 3), ['b:3', 'b:4', 'subscribed b 2'])

  const ahead = await opened(t, url)
  const { log } = app.tidings.bus
  ahead.send({ type: 'subscribe', channel: 'b', cursor: `${log.epoch}.99` })
  t.strictSame(await ahead.json(), { type: 'gap', reason: 'ahead', cursor: log.cursor(4), channel: 'b' })
  t.match(await ahead.json(), { type: 'subscribed', cursor: log.cursor(4) })
  await app.tidings.publish('b', 5)
  t.strictSame(await next(ahead, 1), ['b:5'])
})

t.test('what is wrong is told, and the socket stays open', async (t) => {
  const { url } = await build(t)
  const client = await opened(t, url)
  const wrong: [object, string][] = [
    [{ type: 'subscribe', channel: 'a' }, 'SUBSCRIBED'],
    [{ type: 'subscribe', channel: '' }, 'CHANNEL'],
    [{ type: 'subscribe', channel: 7 }, 'CHANNEL'],
    [{ type: 'subscribe', channel: 'b', cursor: 'x' }, 'CURSOR'],
    [{ type: 'subscribe', channel: 'b', cursor: 7 }, 'CURSOR'],
    [{ type: 'subscribe', channel: 'b', cursor: null }, 'CURSOR'],
    [{ type: 'unsubscribe', channel: 'b' }, 'NOT_SUBSCRIBED'],
    [{ type: 'unsubscribe', channel: 'b c' }, 'CHANNEL'],
  ]
  for (const [frame, code] of wrong) {
    client.send({ ...frame, ref: 'r' })
    t.match(await client.json(), { type: 'error', ref: 'r', code: `TIDINGS_ERR_${code}`, message: String })
  }
})

t.test('32 channels and no more', async (t) => {
  const { url } = await build(t)
  const client = await opened(t, url, 'channel=')
  for (let i = 0; i < 32; i++) {
    client.send({ type: 'subscribe', channel: `c${i}` })
    t.equal((await client.json()).type, 'subscribed')
  }
  client.send({ type: 'subscribe', channel: 'more' })
  t.match(await client.json(), { type: 'error', code: 'TIDINGS_ERR_CHANNEL', message: /32/ })
  client.send({ type: 'unsubscribe', channel: 'c7' })
  t.equal((await client.json()).type, 'unsubscribed')
  client.send({ type: 'subscribe', channel: 'more' })
  t.equal((await client.json()).type, 'subscribed')
})
