import { getEventListeners } from 'node:events'
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import type { Question } from '../index.ts'
import { build, openSocket, openStream, until } from './helper.ts'
import { ask } from './request.ts'

const HANDSHAKE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** Every route that asks, and what it asks. */
const ROUTES: [path: string, question: Question, asked?: Parameters<typeof ask>[1]][] = [
  ['/poll?channel=b&channel=a', { action: 'subscribe', channels: ['a', 'b'] }],
  ['/poll', { action: 'subscribe', channels: ['default'] }, { method: 'HEAD' }],
  ['/longpoll?channel=a', { action: 'subscribe', channels: ['a'] }],
  ['/longpoll?channel=a&cursor=now', { action: 'subscribe', channels: ['a'] }],
  ['/sse?channel=a', { action: 'subscribe', channels: ['a'] }],
  ['/ws?channel=a', { action: 'subscribe', channels: ['a'] }, { headers: HANDSHAKE }],
  ['/ws?channel=', { action: 'subscribe', channels: [] }, { headers: HANDSHAKE }],
  ['/publish?channel=a', { action: 'publish', channels: ['a'] }, { method: 'POST', body: 'x' }],
  ['/stats', { action: 'stats', channels: [] }],
]

t.test('each route asks, and what is not true is 403', async (t) => {
  const aborted = new AbortController()
  aborted.abort()
  const noes: [string, () => unknown][] = [
    ['false', () => false],
    ['false, later', () => new Promise((resolve) => setImmediate(resolve, false))],
    ['undefined', () => undefined],
    ['what is only truthy', () => 'yes'],
    ['null', () => null],
    ['an empty object', () => ({})],
    ['an object of something else', () => ({ allowed: true })],
    ['an end that is not there', () => ({ until: undefined, publisher: 'a' })],
    ['an end that is no date', () => ({ until: new Date('never') })],
    ['an end that is past', () => ({ until: Date.now() })],
    ['an end in seconds', () => ({ until: Date.now() / 1000 + 3600 })],
    ['an end as a text', () => ({ until: '2999-01-01' })],
    ['a publisher that is nobody', () => ({ publisher: '' })],
    ['a publisher that is too long', () => ({ publisher: 'x'.repeat(257) })],
    ['a publisher that is no string', () => ({ publisher: 5 })],
    ['an end beside an aborted signal', () => ({ until: Infinity, signal: aborted.signal })],
    ['an aborted signal', () => aborted.signal],
  ]
  for (const [name, verdict] of noes) {
    const seen: Question[] = []
    const { app, url } = await build(t, {
      stats: true,
      authorize: (request: FastifyRequest, question) => {
        t.ok(request.headers.host)
        seen.push(question)
        return verdict() as boolean
      },
    })
    for (const [path, , asked] of ROUTES) {
      const answer = await ask(url + path, asked)
      t.equal(answer.status, 403, `${name}: ${path}`)
      t.equal(answer.headers['cache-control'], 'no-store')
      if (asked?.method !== 'HEAD') t.match(answer.json, { code: 'TIDINGS_ERR_FORBIDDEN' })
    }
    t.strictSame(
      seen,
      ROUTES.map(([, question]) => question),
    )
    t.equal(app.tidings.bus.log.head, 0)
  }
})

t.test('true permits, also later, and publish is on', async (t) => {
  for (const verdict of [
    () => true,
    async () => true,
    () => new AbortController().signal,
    () => ({ until: new Date(Date.now() + 30 * 86_400_000) }),
    () => ({ until: Date.now() + 1e14, signal: new AbortController().signal, publisher: 'x'.repeat(256) }),
    () => ({ until: Infinity }),
    () => ({ publisher: 'a' }),
  ]) {
    const { app, url } = await build(t, { stats: true, authorize: verdict })
    const client = await openSocket(t, `${url}/ws`)
    t.match(await client.json(), { type: 'ready' })
    const stream = await openStream(t, `${url}/sse`)
    t.match(await stream.next(), { event: 'ready', retry: String })
    const held = ask(`${url}/longpoll?cursor=now`)
    await until(() => app.tidings.bus.log.groups.watching === 3)
    t.equal((await ask(`${url}/publish`, { method: 'POST', body: 'x' })).status, 201)
    t.equal((await held).status, 200)
    t.match(await client.json(), { data: 'x' })
    t.match(JSON.parse((await stream.next()).data!), { data: 'x' })
    t.equal((await ask(`${url}/poll`)).status, 200)
    t.equal((await ask(`${url}/stats`)).status, 200)
  }
})

t.test('publish may be turned off beside it', async (t) => {
  const { url } = await build(t, { publish: false, authorize: () => true })
  t.equal((await ask(`${url}/publish`, { method: 'POST', body: 'x' })).status, 404)
  const client = await openSocket(t, `${url}/ws`)
  await client.json()
  client.send({ type: 'publish', data: 1 })
  t.match(await client.json(), { code: 'TIDINGS_ERR_NO_PUBLISH' })
})

t.test('what is malformed is said before anybody is asked', async (t) => {
  const { url } = await build(t, { authorize: () => t.fail('asked') as never })
  for (const path of ['/poll?channel=a%20b', '/longpoll?cursor=x', '/sse?format=x']) {
    t.equal((await ask(url + path)).status, 400, path)
  }
  t.equal((await ask(`${url}/publish?channel=a&channel=b`, { method: 'POST', body: 'x' })).status, 400)
})

t.test('each subscribe and publish frame asks, with the request that opened the socket', async (t) => {
  const seen: unknown[] = []
  const { app, url } = await build(t, {
    authorize: (request, { action, channels }) => {
      seen.push([request.headers['x-user'], action, ...channels])
      if (channels.includes('broken')) throw new Error('no')
      return channels.every((channel) => channel.startsWith('a'))
    },
  })
  const client = await openSocket(t, `${url}/ws?channel=a1`)
  await client.json()
  for (const [frame, type] of [
    [{ type: 'subscribe', channel: 'a2' }, 'subscribed'],
    [{ type: 'subscribe', channel: 'b' }, 'error'],
    [{ type: 'subscribe', channel: 'broken' }, 'error'],
    [{ type: 'publish', channel: 'a3', data: 1 }, 'published'],
    [{ type: 'publish', channel: 'b', data: 1 }, 'error'],
    [{ type: 'unsubscribe', channel: 'a2' }, 'unsubscribed'],
    [{ type: 'ping' }, 'pong'],
  ] as const) {
    client.send({ ...frame, ref: 7 })
    const answer = await client.json()
    t.match(answer, { type, ref: 7 })
    if (type === 'error') {
      t.equal(answer.code, `TIDINGS_ERR_${frame.channel === 'broken' ? 'INTERNAL' : 'FORBIDDEN'}`)
    }
  }
  t.equal(app.tidings.bus.log.head, 1)
  t.strictSame(seen, [
    [undefined, 'subscribe', 'a1'],
    [undefined, 'subscribe', 'a2'],
    [undefined, 'subscribe', 'b'],
    [undefined, 'subscribe', 'broken'],
    [undefined, 'publish', 'a3'],
    [undefined, 'publish', 'b'],
  ])

  const raw = await openSocket(t, `${url}/ws?channel=a1&format=raw`)
  raw.send('mine')
  t.equal(await raw.frame(), 'mine')
  t.equal(app.tidings.bus.log.head, 2)
})

t.test('a raw socket that may not publish closes with 1008', async (t) => {
  const { app, url } = await build(t, { authorize: (_, { action }) => action === 'subscribe' })
  const raw = await openSocket(t, `${url}/ws?format=raw`)
  raw.send('mine')
  t.strictSame(await raw.closed, { code: 1008, reason: 'Not permitted' })
  t.equal(app.tidings.bus.log.head, 0)
})

t.test('a permission that runs out ends its readers', async (t) => {
  const permission = new AbortController()
  const { signal } = permission
  const { app, url } = await build(t, { authorize: () => signal })
  const client = await openSocket(t, `${url}/ws`)
  await client.json()
  const raw = await openSocket(t, `${url}/ws?format=raw`)
  const stream = await openStream(t, `${url}/sse`)
  const held = ask(`${url}/longpoll?cursor=now`)
  await until(() => app.tidings.bus.log.groups.watching === 4)
  await app.tidings.publish('other', 1)
  t.equal(getEventListeners(signal, 'abort').length, 1, 'one for all')

  permission.abort()
  t.match(await client.closed, { code: 1008, reason: 'permission ran out' })
  t.match(await raw.closed, { code: 1008 })
  await stream.ended
  const answer = await held
  t.equal(answer.status, 403)
  t.match(answer.json, { code: 'TIDINGS_ERR_FORBIDDEN' })
  t.equal((await ask(`${url}/longpoll?cursor=now`)).status, 403)
  t.equal((await ask(`${url}/poll`)).status, 403)
  await until(() => getEventListeners(signal, 'abort').length === 0)
  t.equal(app.tidings.bus.log.groups.watching, 0)
})

t.test('the permission of a subscribe frame ends the socket, until the channel is taken away', async (t) => {
  const permissions = new Map<string, AbortController>()
  const { url } = await build(t, {
    authorize: (_, { channels }) => {
      const permission = new AbortController()
      permissions.set(channels.join(), permission)
      return permission.signal
    },
  })
  const client = await openSocket(t, `${url}/ws?channel=a`)
  await client.json()
  for (const channel of ['b', 'c']) {
    client.send({ type: 'subscribe', channel })
    t.match(await client.json(), { type: 'subscribed' })
  }
  client.send({ type: 'unsubscribe', channel: 'b' })
  t.match(await client.json(), { type: 'unsubscribed' })
  permissions.get('b')!.abort()
  client.send({ type: 'ping' })
  t.match(await client.json(), { type: 'pong' })
  permissions.get('c')!.abort()
  t.equal((await client.closed).code, 1008)
})

t.test('a signal that lives long keeps no listener of what has ended', async (t) => {
  const warnings: Error[] = []
  const warn = (warning: Error) => warnings.push(warning)
  process.on('warning', warn)
  t.teardown(() => process.off('warning', warn))
  const { signal } = new AbortController()
  const listeners = () => getEventListeners(signal, 'abort').length
  const { app, url } = await build(t, { authorize: () => signal })
  const client = await openSocket(t, `${url}/ws?channel=`)
  await client.json()
  t.equal(listeners(), 1)
  for (let i = 0; i < 1000; i++) {
    client.send({ type: 'subscribe', channel: 'a' })
    client.send({ type: 'unsubscribe', channel: 'a' })
  }
  for (let i = 0; i < 2000; i++) await client.json()
  t.equal(listeners(), 1)
  for (let i = 0; i < 20; i++) {
    client.send({ type: 'subscribe', channel: `c${i}` })
    await client.json()
  }
  t.equal(listeners(), 1)
  client.ws.terminate()
  await until(() => listeners() === 0)

  for (let i = 0; i < 20; i++) {
    const abort = new AbortController()
    const held = ask(`${url}/longpoll?cursor=now`, { signal: abort.signal })
    const stream = await openStream(t, `${url}/sse`)
    await until(() => app.tidings.bus.log.groups.watching === 2)
    t.equal(listeners(), 1)
    abort.abort()
    await t.rejects(held)
    stream.close()
    await until(() => listeners() === 0)
    await ask(`${url}/longpoll?cursor=now&wait=0`)
    t.equal(listeners(), 0)
  }
  t.strictSame(warnings, [])
})

t.test('a permission that runs out, or a socket that ends, while a frame is asked about', async (t) => {
  const permission = new AbortController()
  let answer: (verdict: AbortSignal) => void = () => {}
  let asked = 0
  const { app, url } = await build(t, {
    authorize: () => {
      if (asked++ === 0) return true
      return new Promise<AbortSignal>((resolve) => {
        answer = resolve
      })
    },
  })
  const client = await openSocket(t, `${url}/ws?channel=a`)
  await client.json()
  client.send({ type: 'subscribe', channel: 'b' })
  await until(() => asked === 2)
  client.ws.terminate()
  await until(() => app.tidings.bus.log.groups.watching === 0)
  answer(permission.signal)
  await new Promise(setImmediate)
  t.equal(getEventListeners(permission.signal, 'abort').length, 0)
})

t.test('a permission that runs out before the reader is there', async (t) => {
  const permission = new AbortController()
  const { app, url } = await build(
    t,
    { authorize: () => permission.signal },
    {
      before: (app) => {
        // A hook of the user's behind ours, in which time passes.
        app.addHook('onRoute', (route) => {
          route.preHandler = [route.preHandler ?? [], async () => permission.abort()].flat()
        })
      },
    },
  )
  const client = await openSocket(t, `${url}/ws`).catch((error) => error)
  if (client instanceof Error) t.match(client.message, /403/)
  else t.equal((await client.closed).code, 1008)
  await until(() => getEventListeners(permission.signal, 'abort').length === 0)
  t.equal(app.tidings.bus.log.groups.watching, 0)
})
