import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import type { ConnectOptions, Transport } from '../../client/index.ts'
import { type Answer, type Foreign, foreign, say } from './foreign.ts'
import { once, open, Taken } from './helper.ts'

const json = (body: unknown): Answer => say(200, { 'content-type': 'application/json' }, JSON.stringify(body))
const stream = (body: string, end = true): Answer => {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(body)
    if (end) response.end()
  }
}

const PACE: ConnectOptions = { backoff: { base: 200, cap: 1000 }, pollInterval: 100 }
const ENVELOPE = { channel: 'default', time: 1, data: 1 }
const READY = 'event: ready\nid: abcd.0\ndata: {"cursor":"abcd.0"}\n\n'

const NO_PROGRESS: Record<string, Answer> = {
  'a 410 of somebody else': say(410, {}, 'Gone'),
  'a 410 that goes nowhere': say(410, { 'tidings-gap': 'trimmed', 'tidings-cursor': 'abcd.5' }),
  'a 410 of an unknown reason': say(410, { 'tidings-gap': 'whim', 'tidings-cursor': 'abcd.9' }),
  'a page to log in': say(200, { 'content-type': 'text/html' }, '<h1>Log in</h1>'),
  'a redirect to such a page': (request, response, count) =>
    request.url!.includes('login')
      ? say(200, { 'content-type': 'text/html' }, '<h1>Log in</h1>')(request, response, count)
      : say(302, { location: '/login' })(request, response, count),
  'an empty 200': say(200, {}),
  'JSON that is null': json(null),
  'JSON that is not ours': json({ ok: true }),
  'a page without messages': json({ cursor: 'abcd.9' }),
  'a page of a wrong cursor': json({ cursor: 9, messages: [], more: true }),
  'a page that says more, and stays': json({ cursor: 'abcd.5', messages: [], more: true }),
  'a page that goes back': json({
    cursor: 'abcd.1',
    messages: [{ cursor: 'abcd.1', ...ENVELOPE }],
    more: true,
  }),
  'messages that were there': json({
    cursor: 'abcd.5',
    messages: [{ cursor: 'abcd.5', ...ENVELOPE }],
    more: true,
  }),
  'a 204 without a place': say(204, {}),
  'a 204 at once': say(204, { 'tidings-cursor': 'abcd.5' }),
  'logs that take turns': (request, response, count) =>
    say(410, { 'tidings-gap': 'epoch', 'tidings-cursor': count % 2 ? 'wxyz.0' : 'abcd.5' })(
      request,
      response,
      count,
    ),
  'logs that take turns without a word': (request, response, count) =>
    say(204, { 'tidings-cursor': count % 2 ? 'wxyz.1' : 'abcd.5' })(request, response, count),
  'a stream that ends at once': stream(''),
  'a stream that ends when it is ready': stream(READY),
  'a stream of somebody else': stream('data: {"price":3}\n\n', false),
  'a wait that is none': say(503, { 'retry-after': 'soon' }),
  'a date in 9999': say(503, { 'retry-after': 'Fri, 31 Dec 9999 23:59:59 GMT' }),
  'a wait of a month': say(429, { 'retry-after': '2592000' }),
  'a wait below 0': say(503, { 'retry-after': '-1' }),
  'an endless wait': say(503, { 'retry-after': '9'.repeat(400) }),
  'a stream with an endless retry': stream('retry: 99999999999\n\n'),
  'a stream with a retry that is none': stream(`${READY}retry: 1e999\n\nretry: -1\n\n`),
}

// They wait more than they work.
t.jobs = 6

for (const [name, answer] of Object.entries(NO_PROGRESS)) {
  for (const transport of ['sse', 'longpoll', 'poll'] as const) {
    t.test(`${transport}: ${name}: paced, and told`, { buffered: true }, async (t) => {
      const server = await foreign(t, answer)
      const feed = open(t, server.url, { transports: [transport], cursor: 'abcd.5', ...PACE })
      const told = new Promise<void>((resolve) => {
        feed.addEventListener('error', () => resolve())
        feed.addEventListener('gap', () => resolve())
      })
      // It is what /poll says where there is nothing.
      if (
        transport !== 'poll' ||
        !/^a 204 at once|that says more|goes back|were there|without a word/.test(name)
      )
        await told
      const before = server.count
      await wait(700)
      t.ok(server.count - before < 20, `${server.count - before} requests`)
      t.equal(feed.readyState < 2, true)
    })
  }
}

const SOCKETS: Record<string, (ws: WebSocket) => void> = {
  'a socket that closes at once': (ws) => ws.close(),
  'a socket that closes when it is ready': (ws) => {
    ws.send('{"type":"ready","cursor":"abcd.5"}')
    ws.close()
  },
  'a socket of somebody else': (ws) => ws.send('{"jsonrpc":"2.0"}'),
  'a frame that is null': (ws) => ws.send('null'),
  'a binary frame': (ws) => ws.send(Buffer.from([1, 2])),
  'a policy of somebody else': (ws) => ws.close(1008),
}
for (const [name, socket] of Object.entries(SOCKETS)) {
  t.test(`ws: ${name}: paced, and told`, { buffered: true }, async (t) => {
    const server = await foreign(t, say(404, {}), socket)
    const feed = open(t, server.url, { transports: ['ws'], cursor: 'abcd.5', ...PACE })
    await once(feed, 'error')
    const before = server.count
    await wait(700)
    t.ok(server.count - before < 20, `${server.count - before} sockets`)
    t.ok(feed.readyState < 2)
  })
}

const POISON: [name: string, envelope: string][] = [
  ['no JSON', '{"cursor":"abcd.1","data":'],
  ['null', 'null'],
  ['no channel', '{"cursor":"abcd.1","time":1,"data":1}'],
  ['no data', '{"cursor":"abcd.1","channel":"default","time":1}'],
  ['no cursor', '{"channel":"default","time":1,"data":1}'],
  ['bytes that are none', '{"cursor":"abcd.1","channel":"default","time":1,"data":"%","encoding":"base64"}'],
]
for (const [name, envelope] of POISON) {
  const good = '{"cursor":"abcd.2","channel":"default","time":1,"data":2}'
  const ways: [Transport, Promise<Foreign> | ((t: Test) => Promise<Foreign>)][] = [
    [
      'sse',
      (t) =>
        foreign(t, stream(`${READY}data: ${envelope}\nid: abcd.1\n\ndata: ${good}\nid: abcd.2\n\n`, false)),
    ],
    [
      'ws',
      (t) =>
        foreign(t, say(404, {}), (ws) => {
          for (const frame of ['{"type":"ready","cursor":"abcd.0"}', envelope, good]) ws.send(frame)
        }),
    ],
    [
      'longpoll',
      (t) =>
        foreign(t, (request, response, count) => {
          if (request.url!.includes('abcd.2')) return
          say(200, {}, `{"cursor":"abcd.2","messages":[${envelope},${good}],"more":false}`)(
            request,
            response,
            count,
          )
        }),
    ],
  ]
  for (const [transport, start] of ways) {
    // A page is JSON as a whole.
    if (transport === 'longpoll' && name === 'no JSON') continue
    t.test(`${transport}: a message that can't be read (${name}) is told once, and left out`, async (t) => {
      const server = await (start as (t: Test) => Promise<Foreign>)(t)
      const taken = new Taken(open(t, server.url, { transports: [transport], cursor: 'abcd.0', ...PACE }))
      t.same(await taken.until(1), [2])
      t.equal(taken.feed.cursor, 'abcd.2')
      t.equal(taken.errors.length, 1)
      t.match(taken.errors[0], /unreadable message/)
    })
  }
}
