import fastifyCors from '@fastify/cors'
import t from 'tap'
import { build, type Frame, openSocket } from './helper.ts'
import { type Asked, ask } from './request.ts'

/*
 * What the contract of the wire says of answers over HTTP, row by row. What needs a client that stays has its tests
 * beside its transport.
 */

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const upgrade = (headers: object = {}) => ({
  headers: {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': KEY,
    ...headers,
  },
})
const post = (body: string | Uint8Array = 'x', headers: object = {}): Asked => ({
  method: 'POST',
  body,
  headers: { ...headers },
})
const EXPOSED = 'X-Mine, Tidings-Cursor, Tidings-Gap, ETag, Retry-After, Preference-Applied'
const NONE = undefined

type Row = [
  path: string,
  asked: Asked | undefined,
  status: number,
  headers?: Record<string, unknown>,
  body?: unknown,
]

t.test('each answer is what the contract says', async (t) => {
  const { app, url } = await build(
    t,
    {
      publish: true,
      echo: true,
      stats: true,
      retention: { messages: 2, keys: 1 },
      origins: ['https://friend.example'],
    },
    { before: (app) => app.register(fastifyCors, { exposedHeaders: ['X-Mine'], origin: true }) },
  )
  const { log } = app.tidings.bus
  for (const data of ['one', 'two', 'three', 'four']) await app.tidings.publish('default', data)
  await app.tidings.publish('j', { a: 1.5 })
  await app.tidings.publish('b', Uint8Array.of(1))
  const at = (seq: number) => log.cursor(seq)
  const floor = at(2)
  const head = at(6)
  const many = (count: number) => Array.from({ length: count }, (_, i) => `channel=c${i}`).join('&')
  const tagged = (...tags: string[]): Asked => ({ headers: { 'if-none-match': tags.join(', ') } })
  const quiet = { 'tidings-cursor': head, etag: `W/"${head}"`, 'content-length': NONE }
  const raw = { 'x-content-type-options': 'nosniff', 'content-security-policy': 'sandbox' }
  const gap = (reason: string, cursor: string) =>
    [
      { 'tidings-gap': reason, 'tidings-cursor': cursor },
      { reason, cursor },
    ] as const
  const names = (parameter: string) => ({ statusCode: 400, message: new RegExp(`'${parameter}'`) })
  const closing = (code: number) => ({ statusCode: code })

  const rows: Row[] = [
    // A place to start from
    ['/poll', NONE, 200, { etag: `W/"${head}"` }, { cursor: head, messages: [], more: false }],
    ['/poll?cursor=now', NONE, 200, {}, { cursor: head, messages: [] }],
    ['/longpoll', NONE, 200, { etag: NONE }, { cursor: head, messages: [], more: false }],
    ['/poll?format=raw', NONE, 204, quiet],
    ['/poll?format=raw&cursor=now', NONE, 204, quiet],
    ['/longpoll?format=raw', NONE, 204, { 'tidings-cursor': head, etag: NONE }],
    [
      '/poll?cursor=earliest',
      NONE,
      200,
      {},
      { cursor: head, messages: [{ data: 'three' }, { data: 'four' }] },
    ],
    [
      `/poll?cursor=${floor}&limit=1`,
      NONE,
      200,
      {},
      { cursor: at(3), messages: [{ cursor: at(3) }], more: true },
    ],
    ['/poll?cursor=earliest&limit=1000', NONE, 200],
    [`/poll?cursor=earliest&${many(32)}`, NONE, 204],
    ['/poll?wait=x&token=1&_=2', { headers: { prefer: 'wait=1' } }, 200, { 'preference-applied': NONE }],
    // Nothing after it
    [`/poll?cursor=${head}`, NONE, 204, quiet],
    [`/poll?cursor=${at(4)}`, NONE, 204, quiet],
    [`/longpoll?cursor=${head}&wait=0`, NONE, 204, { 'tidings-cursor': head, etag: NONE }],
    [
      `/longpoll?cursor=${head}`,
      { headers: { prefer: 'respond-async, wait=0' } },
      204,
      { 'preference-applied': 'wait=0' },
    ],
    [
      '/longpoll?cursor=earliest',
      { headers: { prefer: 'wait=999' } },
      200,
      { 'preference-applied': 'wait=55' },
    ],
    [
      '/longpoll?cursor=earliest&wait=5',
      { headers: { prefer: 'wait=9' } },
      200,
      { 'preference-applied': NONE },
    ],
    ['/longpoll?cursor=earliest', { headers: { prefer: 'wait=soon' } }, 200, { 'preference-applied': NONE }],
    [`/poll?cursor=${head}`, tagged(`W/"${head}"`), 304, quiet],
    [`/poll?cursor=${at(5)}`, tagged(`"${at(5)}"`), 304, quiet],
    [`/poll?cursor=${at(5)}`, tagged(`"${at(4)}"`), 204, quiet],
    [`/poll?cursor=${head}`, tagged('"x"', `"${head}"`, '"abcd.1"'), 304, quiet],
    [`/poll?cursor=${head}`, tagged('*'), 204, quiet],
    ['/poll', tagged(`W/"${head}"`), 304, quiet],
    ['/poll', tagged(`W/"${floor}"`), 200, {}, { messages: [{ data: 'three' }, { data: 'four' }] }],
    ['/poll', tagged('*'), 200, {}, { messages: [] }],
    ['/poll', tagged('"abcd.1"'), 410, { 'tidings-gap': 'epoch' }],
    [`/longpoll?cursor=${head}&wait=0`, tagged(`"${head}"`), 304, { 'tidings-cursor': head }],
    // Holes
    [`/poll?cursor=${at(1)}`, NONE, 410, ...gap('trimmed', floor)],
    [`/longpoll?cursor=${at(1)}`, NONE, 410, ...gap('trimmed', floor)],
    ['/poll?cursor=abcd.1', NONE, 410, ...gap('epoch', floor)],
    ['/poll?cursor=abcd.1&channel=j', NONE, 410, ...gap('epoch', at(0))],
    [`/longpoll?cursor=${at(99)}`, NONE, 410, ...gap('ahead', head)],
    [`/poll?cursor=${at(1)}&format=raw`, NONE, 410, ...gap('trimmed', floor)],
    [`/poll?cursor=${at(1)}&channel=j`, NONE, 200, {}, { messages: [{ data: { a: 1.5 } }] }],
    // Malformed
    ['/poll?cursor=', NONE, 400, {}, names('cursor')],
    [`/poll?cursor=${log.epoch}.9007199254740992`, NONE, 400, {}, names('cursor')],
    [`/poll?cursor=${log.epoch}.01`, NONE, 400, {}, names('cursor')],
    ['/poll?limit=1001', NONE, 400, {}, names('limit')],
    ['/poll?limit=0', NONE, 400, {}, names('limit')],
    ['/longpoll?cursor=now&wait=-1', NONE, 400, {}, names('wait')],
    ['/poll?format=json', NONE, 400, {}, names('format')],
    ['/poll?format=raw&channel=a&channel=b', NONE, 400, {}, names('format')],
    ['/sse?format=raw&channel=a&channel=b', NONE, 400, {}, names('format')],
    [`/poll?${many(33)}`, NONE, 400, {}, names('channel')],
    ['/sse?channel=', NONE, 400, {}, names('channel')],
    ['/poll?channel[]=a', NONE, 400, {}, names('channel')],
    // The raw form
    [
      '/poll?format=raw&cursor=earliest',
      NONE,
      200,
      { ...raw, 'tidings-cursor': at(3), etag: `W/"${at(3)}"`, 'content-type': 'text/plain; charset=utf-8' },
    ],
    [
      '/poll?format=raw&channel=j&cursor=earliest',
      NONE,
      200,
      { ...raw, 'content-type': 'application/json' },
      { a: 1.5 },
    ],
    [
      '/longpoll?format=raw&channel=b&cursor=earliest',
      NONE,
      200,
      { ...raw, 'content-type': 'application/octet-stream', etag: NONE },
    ],
    // HEAD
    ['/poll?cursor=earliest', { method: 'HEAD' }, 200, { etag: `W/"${head}"` }],
    [`/poll?cursor=${at(1)}`, { method: 'HEAD' }, 410, { 'tidings-gap': 'trimmed' }],
    ['/longpoll?cursor=now', { method: 'HEAD' }, 404],
    ['/sse', { method: 'HEAD' }, 404],
    ['/ws', { method: 'HEAD' }, 404],
    ['/echo', { method: 'HEAD' }, 404],
    // Handshakes
    ['/ws', NONE, 426, { upgrade: 'websocket' }, closing(426)],
    ['/echo', NONE, 426, { upgrade: 'websocket' }, closing(426)],
    ['/ws', { headers: { connection: 'Upgrade', upgrade: 'h2c' } }, 426, { upgrade: 'websocket' }],
    ['/ws', upgrade({ 'sec-websocket-version': '8' }), 426, { 'sec-websocket-version': '13' }],
    ['/ws', upgrade({ 'sec-websocket-version': '' }), 426, { 'sec-websocket-version': '13' }],
    ['/ws', upgrade({ 'sec-websocket-key': 'short' }), 400],
    ['/ws', upgrade({ origin: 'https://evil.example' }), 403],
    ['/echo', upgrade({ origin: 'null' }), 403],
    ['/ws?cursor=x', upgrade(), 400, {}, names('cursor')],
    ['/poll', upgrade(), 200, {}, { cursor: head }],
    [
      '/longpoll',
      {
        headers: {
          connection: 'Upgrade, HTTP2-Settings',
          upgrade: 'h2c',
          'http2-settings': 'AAMAAABkAAQAAP__',
        },
      },
      200,
      {},
      { cursor: head },
    ],
    ['/stats', upgrade(), 200, {}, { bus: { epoch: log.epoch, head: 6 } }],
    // CORS
    [
      '/poll',
      { headers: { origin: 'https://a.example' } },
      200,
      { 'access-control-expose-headers': EXPOSED },
    ],
    [
      '/poll?cursor=abcd.1',
      { headers: { origin: 'https://a.example' } },
      410,
      { 'access-control-expose-headers': EXPOSED },
    ],
    // Publishing: what is refused publishes nothing
    ['/publish', post('x', { origin: 'https://evil.example' }), 403],
    ['/publish', post('x', { origin: 'null' }), 403],
    ['/publish', post('x'.repeat(65_537)), 413],
    ['/publish', post('{', { 'content-type': 'application/json' }), 400],
    ['/publish', post('{', { 'content-type': 'application/problem+json; charset=utf-8' }), 400],
    ['/publish', post(Uint8Array.of(255)), 400],
    ['/publish', post('x', { 'content-type': 'text/plain; charset=latin1' }), 415],
    ['/publish', post('x', { 'content-type': 'nonsense' }), 415],
    ['/publish', post('x', { 'content-encoding': 'gzip' }), 415],
    ['/publish', post('x', { 'idempotency-key': 'k'.repeat(129) }), 400],
    ['/publish?channel=a&channel=b', post(), 400, {}, names('channel')],
    ['/publish?channels=a', post(), 400, {}, names('channel')],
    ['/publish', NONE, 404],
  ]
  for (const [path, asked, status, headers = {}, body] of rows) {
    const answer = await ask(url + path, asked)
    const name = `${asked?.method ?? 'GET'} ${path} ${JSON.stringify(asked?.headers ?? {})}`
    t.equal(answer.status, status, name)
    for (const [header, value] of Object.entries(headers))
      t.equal(answer.headers[header], value, `${name}: ${header}`)
    if (body !== undefined) t.match(answer.json, body, name)
    if (status !== 404) t.equal(answer.headers['cache-control'], 'no-store', name)
    if ([204, 304].includes(status)) t.equal(answer.text, '', name)
    t.equal(log.head, 6, `${name} publishes nothing`)
  }

  const accepted: [Asked, unknown][] = [
    [post('{"a": 1.50}', { 'content-type': 'application/json' }), { a: 1.5 }],
    [post('[1]', { 'content-type': 'application/ld+json' }), [1]],
    [post('a=1&b', { 'content-type': 'application/x-www-form-urlencoded' }), 'a=1&b'],
    [post('é', { 'content-type': 'text/csv; charset=UTF-8' }), 'é'],
    [post('plain'), 'plain'],
    [post('x', { 'content-type': 'image/png' }), 'eA=='],
    [post('x', { 'content-encoding': 'identity', origin: 'https://friend.example' }), 'x'],
    [post('x', { origin: url }), 'x'],
    [post('x'.repeat(65_536)), 'x'.repeat(65_536)],
  ]
  for (const [asked, data] of accepted) {
    const answer = await ask(`${url}/publish?channel=p`, asked)
    t.equal(answer.status, 201)
    t.match(answer.json, { cursor: at(log.head), channel: 'p', time: Number })
    const page: Frame = (await ask(`${url}/poll?channel=p&cursor=${at(log.head - 1)}`)).json
    t.strictSame(page.messages[0].data, data)
  }
  const keyed = (body: string, key = 'k') => ask(`${url}/publish`, post(body, { 'idempotency-key': key }))
  const first = await keyed('one')
  const again = await keyed('one')
  t.strictSame([first.status, again.status, again.text], [201, 200, first.text])
  t.equal((await keyed('two')).status, 422)
  t.equal((await keyed('one', 'another')).status, 503, 'past the bound')
})

t.test('what a socket says to each frame', async (t) => {
  const { app, url } = await build(t, { publish: true, retention: { messages: 1 } })
  const { log } = app.tidings.bus
  for (let i = 0; i < 3; i++) await app.tidings.publish('a', i)
  const socket = await openSocket(t, `${url}/ws?channel=`)
  const at = (seq: number) => log.cursor(seq)
  t.strictSame(await socket.json(), { type: 'ready', cursor: at(3) })
  const rows: [frame: object | string, ...answers: object[]][] = [
    [{ type: 'ping' }, { type: 'pong', cursor: at(3) }],
    [
      { type: 'unsubscribe', channel: 'a', ref: [1] },
      { type: 'error', ref: [1], code: 'TIDINGS_ERR_NOT_SUBSCRIBED' },
    ],
    [
      { type: 'subscribe', channel: 'a', cursor: at(0), ref: 'r' },
      { type: 'gap', reason: 'trimmed', cursor: at(2), channel: 'a', ref: 'r' },
      { cursor: at(3), channel: 'a', data: 2 },
      { type: 'subscribed', channel: 'a', cursor: at(3), ref: 'r' },
    ],
    [
      { type: 'subscribe', channel: 'a' },
      { type: 'error', code: 'TIDINGS_ERR_SUBSCRIBED' },
    ],
    [
      { type: 'subscribe', channel: 'b', cursor: 'x', ref: 1 },
      { type: 'error', ref: 1, code: 'TIDINGS_ERR_CURSOR' },
    ],
    [
      { type: 'subscribe', channel: '' },
      { type: 'error', code: 'TIDINGS_ERR_CHANNEL' },
    ],
    [
      { type: 'nothing', ref: 2 },
      { type: 'error', ref: 2, code: 'TIDINGS_ERR_FRAME' },
    ],
    ['[]', { type: 'error', code: 'TIDINGS_ERR_FRAME' }],
    ['{', { type: 'error', code: 'TIDINGS_ERR_FRAME' }],
    [
      { type: 'publish', data: 'x'.repeat(65_537), ref: 3 },
      { type: 'error', ref: 3, code: 'TIDINGS_ERR_TOO_LARGE' },
    ],
    [
      { type: 'publish', ref: 4 },
      { type: 'error', ref: 4, code: 'TIDINGS_ERR_DATA' },
    ],
    [
      { type: 'publish', data: '*', encoding: 'base64' },
      { type: 'error', code: 'TIDINGS_ERR_DATA' },
    ],
    [
      '{"type":"publish","channel":"b","data":1.000000000000000000001,"ref":null}',
      { type: 'published', ref: null, cursor: at(4) },
    ],
    [
      { type: 'unsubscribe', channel: 'a' },
      { type: 'unsubscribed', channel: 'a' },
    ],
    [{ type: 'ping' }, { type: 'pong', cursor: at(4) }],
  ]
  for (const [frame, ...answers] of rows) {
    socket.send(frame)
    for (const answer of answers) t.match(await socket.json(), answer, JSON.stringify(frame).slice(0, 80))
  }
  socket.send(Buffer.from('x'))
  t.match(await socket.closed, { code: 1003 })
})
