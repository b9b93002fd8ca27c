import t, { type Test } from 'tap'
import { type Built, build, live, openSocket, openStream } from '../helper.ts'
import { ask } from '../request.ts'

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** 'quiet' has '0', then come '1' to '9', of which 'loud' keeps the last three. */
async function filled(t: Test): Promise<Built & { at(seq: number): string }> {
  const built = await build(t, { retention: { messages: 3 }, publish: true })
  await built.app.tidings.publish('quiet', '0')
  for (let i = 1; i < 10; i++) await built.app.tidings.publish('loud', `${i}`)
  return { ...built, at: (seq) => built.app.tidings.bus.log.cursor(seq) }
}

const BOTH = 'channel=quiet&channel=loud'

t.test('what is none of the starts', async (t) => {
  const { url } = await filled(t)
  const socket = await openSocket(t, `${url}/ws`)
  await socket.json()
  const numbers = [
    '',
    '0',
    '-0',
    '-1',
    '+1',
    '01',
    '1.5',
    '1e3',
    'NaN',
    'Infinity',
    ' 1',
    '1 ',
    '0x1',
    '1_0',
    '٣',
    'x',
  ]
  const cursors = [
    ...numbers.map((number) => `last:${number}`),
    ...['1001', '9999', '99999999999999999999'].map((number) => `last:${number}`),
    ...numbers.filter((number) => number !== '0').map((number) => `since:${number}`),
    ...['9007199254740992', '99999999999999999999'].map((number) => `since:${number}`),
    ...[
      'last',
      'since',
      'LAST:1',
      'last:1:2',
      'last:1,2',
      'since:2026-01-01',
      'earliest:1',
      'now:1',
      'Earliest',
    ],
  ]
  for (const cursor of cursors) {
    for (const path of ['poll', 'longpoll', 'sse', 'ws']) {
      const headers = path === 'ws' ? UPGRADE : {}
      const query = `cursor=${encodeURIComponent(cursor)}`
      const { status, json } = await ask(`${url}/${path}?${query}`, { headers })
      t.strictSame([status, json.code], [400, 'TIDINGS_ERR_CURSOR'], `${path} ${cursor}`)
      t.match(json.message, /'cursor'/)
    }
    socket.send({ type: 'subscribe', channel: 'a', cursor })
    t.match(await socket.json(), { type: 'error', code: 'TIDINGS_ERR_CURSOR', message: /'cursor'/ })
  }
  t.equal((await ask(`${url}/poll?cursor=last:1&cursor=last:1`)).status, 400)
})

t.test('the largest of each, and a time that is still to come', async (t) => {
  const { url, at } = await filled(t)
  for (const [cursor, data] of [
    ['last:1000', ['7', '8', '9']],
    ['since:0', ['7', '8', '9']],
    ['since:9007199254740991', []],
  ] as const) {
    const page = await ask(`${url}/poll?channel=loud&cursor=${cursor}`)
    t.equal(page.status, data.length === 0 ? 204 : 200, cursor)
    if (data.length === 0) t.equal(page.headers['tidings-cursor'], at(10))
    else
      t.strictSame(
        page.json.messages.map((one: { data: string }) => one.data),
        data,
      )
  }
})

t.test('a Last-Event-ID is a cursor, and none of these', async (t) => {
  const { url } = await filled(t)
  for (const id of ['last:2', 'since:0']) {
    const stream = await openStream(t, `${url}/sse?channel=loud`, { 'last-event-id': id })
    await stream.next()
    t.match(await stream.next(), { event: 'gap', data: /"epoch"/ })
  }
})

t.test('polls go through it page by page', async (t) => {
  const { app, url, at } = await filled(t)
  for (const path of ['poll', 'longpoll']) {
    for (const raw of [false, true]) {
      const got: string[] = []
      let cursor = 'last:2'
      for (let i = 0; i < 3; i++) {
        const query = raw ? 'channel=loud&format=raw' : `${BOTH}&limit=1`
        const { status, text, headers } = await ask(`${url}/${path}?${query}&cursor=${cursor}&wait=0`)
        if (status === 204) break
        got.push(raw ? text : JSON.parse(text).messages[0].data)
        cursor = raw ? String(headers['tidings-cursor']) : JSON.parse(text).cursor
      }
      t.strictSame(got, raw ? ['8', '9'] : ['0', '8', '9'], `${path} ${raw}`)
      t.equal(cursor, at(10))
    }
  }
  // The cursor of a message is as good as that of its page.
  const first = (await ask(`${url}/poll?${BOTH}&limit=2&cursor=last:3`)).json
  t.strictSame(
    (await ask(`${url}/poll?${BOTH}&cursor=${first.messages[0].cursor}`)).json.messages.map(
      ({ data }: { data: string }) => data,
    ),
    ['7', '8', '9'],
  )
  t.match(first.messages[0].cursor, /^[\w-]{4,32}\.1$/)
  // Where what was chosen has gone meanwhile, it is told.
  for (let i = 10; i < 12; i++) await app.tidings.publish('loud', `${i}`)
  const { status, json } = await ask(`${url}/poll?${BOTH}&cursor=${first.messages[0].cursor}`)
  t.match([status, json], [410, { reason: 'trimmed', cursor: at(9) }])
})

t.test('a tag that carries such a cursor', async (t) => {
  const { url } = await filled(t)
  const first = await ask(`${url}/poll?${BOTH}&limit=1&cursor=last:2`)
  t.equal(first.headers.etag, `W/"${first.json.cursor}"`)
  const headers = { 'if-none-match': first.headers.etag }
  const { json } = await ask(`${url}/poll?${BOTH}`, { headers })
  t.strictSame(
    json.messages.map(({ data }: { data: string }) => data),
    ['8', '9'],
  )
})

t.test('a long poll that finds nothing is held', async (t) => {
  const { app, url, at } = await filled(t)
  for (const cursor of ['last:5', `since:${Date.now() + 60_000}`]) {
    const held = ask(`${url}/longpoll?channel=new${cursor.length}&cursor=${cursor}`)
    await live(app, 1)
    const message = await app.tidings.publish(`new${cursor.length}`, 'x')
    t.match((await held).json, { cursor: message.cursor, messages: [{ data: 'x' }] })
  }
  t.match(await ask(`${url}/poll?channel=none&cursor=last:1`), {
    status: 204,
    headers: { 'tidings-cursor': at(12) },
  })
})

t.test('a stream that is cut in the midst of it goes on', async (t) => {
  const { url, at } = await filled(t)
  const stream = await openStream(t, `${url}/sse?${BOTH}&cursor=last:2`)
  const ready = await stream.next()
  t.match(ready.id, /^[\w-]{4,32}\.0$/)
  t.equal(JSON.parse(ready.data!).cursor, ready.id)
  const first = await stream.next()
  t.equal(JSON.parse(first.data!).data, '0')
  t.equal(JSON.parse(first.data!).cursor, first.id)
  t.match(await stream.next(), { id: at(9) })
  for (const [id, rest] of [
    [ready.id!, ['0', '8', '9']],
    [first.id!, ['8', '9']],
    [at(9), ['9']],
  ] as const) {
    // A browser repeats its old address.
    const again = await openStream(t, `${url}/sse?${BOTH}&cursor=last:2`, { 'last-event-id': id })
    t.match(await again.next(), { event: 'ready', id })
    const got = []
    for (const _ of rest) got.push(JSON.parse((await again.next()).data!).data)
    t.strictSame(got, rest)
  }
})

t.test('a socket, and channels that it adds', async (t) => {
  const { url, at } = await filled(t)
  const socket = await openSocket(t, `${url}/ws?${BOTH}&cursor=last:1`)
  const ready = await socket.json()
  t.match(ready.cursor, /\.0$/)
  const first = await socket.json()
  t.equal(first.data, '0')
  t.match(await socket.json(), { data: '9', cursor: at(10) })
  const again = await openSocket(t, `${url}/ws?${BOTH}&cursor=${first.cursor}`)
  t.strictSame(await again.json(), { type: 'ready', cursor: first.cursor })
  t.match(await again.json(), { data: '9' })

  const own = await openSocket(t, `${url}/ws?channel=`)
  await own.json()
  own.send({ type: 'subscribe', channel: 'loud', cursor: 'last:2', ref: 1 })
  t.match(await own.json(), { data: '8', cursor: at(9) })
  t.match(await own.json(), { data: '9', cursor: at(10) })
  t.strictSame(await own.json(), { type: 'subscribed', channel: 'loud', ref: 1, cursor: at(10) })
  own.send({ type: 'subscribe', channel: 'quiet', cursor: 'since:0' })
  t.match(await own.json(), { data: '0' })
  t.match(await own.json(), { type: 'subscribed' })
  const raw = await openSocket(t, `${url}/ws?channel=loud&format=raw&cursor=last:2`)
  t.strictSame([await raw.frame(), await raw.frame()], ['8', '9'])
})
