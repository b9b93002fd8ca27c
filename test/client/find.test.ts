import t from 'tap'
import { type ConnectOptions, connect } from '../../client/index.ts'
import { build, until } from '../helper.ts'
import { type Fault, FaultProxy, type Seen } from '../proxy.ts'
import { foreign, say } from './foreign.ts'
import { once, open, range, Taken } from './helper.ts'

const SWALLOW: Fault = { kind: 'swallow' }

const LINES: [name: string, fault: (seen: Seen) => Fault | undefined][] = [
  ['an upgrade is swallowed', ({ upgrade }) => (upgrade ? SWALLOW : undefined)],
  [
    'a stream is buffered, too',
    ({ upgrade, path }) => (upgrade ? SWALLOW : path === '/sse' ? { kind: 'buffer' } : undefined),
  ],
  ['only polls pass', ({ path }) => (path === '/poll' ? undefined : SWALLOW)],
  ['a socket is deaf after its 101', ({ upgrade }) => (upgrade ? { kind: 'deaf' } : undefined)],
]
for (const [name, fault] of LINES) {
  t.test(`${name}: the first message comes long before the probe is over`, async (t) => {
    const { app, port } = await build(t)
    const proxy = await FaultProxy.start(t, port)
    proxy.fault = fault
    await app.tidings.publish('default', 1)
    // With the default of 5 seconds, each transport that is swallowed would take as long.
    const taken = new Taken(open(t, proxy.url, { cursor: 'earliest', probe: 60_000 }))
    t.same(await taken.until(1), [1])
  })
}

t.test(
  'a poll is asked beside a slow first transport, and the message that it brings comes once',
  async (t) => {
    const { app, port } = await build(t)
    const proxy = await FaultProxy.start(t, port)
    proxy.fault = ({ upgrade }) => (upgrade ? { kind: 'delay', ms: 1200 } : undefined)
    await app.tidings.publish('default', 1)
    const feed = open(t, proxy.url, { cursor: 'earliest' })
    const taken = new Taken(feed)
    await taken.until(1)
    t.equal(feed.transport, 'poll')
    t.same(
      proxy.seen.map(({ path }) => path),
      ['/ws', '/poll'],
    )
    await until(() => feed.transport === 'ws')
    await app.tidings.publish('default', 2)
    t.same(await taken.until(2), [1, 2])
  },
)

t.test('a socket that says that it is ready, and nothing else: others are tried', async (t) => {
  const server = await foreign(
    t,
    (request, response, count) => {
      if (!request.url!.startsWith('/poll')) return
      say(
        200,
        {},
        `{"cursor":"abcd.1","messages":[{"cursor":"abcd.1","channel":"default","time":1,"data":1}],"more":false}`,
      )(request, response, count)
    },
    (ws) => ws.send('{"type":"ready","cursor":"abcd.0"}'),
  )
  const taken = new Taken(open(t, server.url, { cursor: 'abcd.0', probe: 60_000 }))
  t.same(await taken.until(1), [1])
})

t.test('what began with now goes on at the place that the first answer named', async (t) => {
  const { app, port } = await build(t)
  const proxy = await FaultProxy.start(t, port)
  proxy.fault = ({ upgrade }) => (upgrade ? { kind: 'delay', ms: 250 } : undefined)
  const feed = open(t, proxy.url, { transports: ['ws', 'poll'] })
  const taken = new Taken(feed)
  await until(() => feed.cursor !== undefined)
  let last = 0
  // One before the socket carries, and one behind.
  await app.tidings.publish('default', ++last)
  await until(() => feed.transport === 'ws' && feed.readyState === 1)
  await app.tidings.publish('default', ++last)
  t.same(await taken.until(last), range(1, last))
})

t.test('a stream that is held back is left', async (t) => {
  const server = await foreign(t, (request, response, count) => {
    if (!request.url!.startsWith('/sse')) {
      say(200, {}, '{"cursor":"abcd.2","messages":[],"more":false}')(request, response, count)
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('event: ready\nid: abcd.0\ndata: {"cursor":"abcd.0"}\n\n')
    const event = (i: number) =>
      `data: {"cursor":"abcd.${i}","channel":"default","time":${i * 900},"data":${i}}\nid: abcd.${i}\n\n`
    setTimeout(() => response.write(event(1) + event(2) + event(3)), 1300)
  })
  const feed = open(t, server.url, { transports: ['sse', 'longpoll'], cursor: 'abcd.0' })
  const taken = new Taken(feed)
  await until(() => feed.transport === 'longpoll' && feed.readyState === 1)
  t.same(taken.data, [1, 2, 3])
  t.match(taken.errors[0], /holds the stream back/)
})

t.test('a page that comes slowly is alive as long as bytes come', async (t) => {
  const server = await foreign(t, async (request, response) => {
    if (request.url!.includes('abcd.1')) return
    const body = `{"cursor":"abcd.1","messages":[{"cursor":"abcd.1","channel":"default","time":1,"data":"${'x'.repeat(900)}"}],"more":false}`
    response.writeHead(200, { 'content-length': body.length })
    for (let i = 0; i < body.length; i += 50) {
      response.write(body.slice(i, i + 50))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    response.end()
  })
  const taken = new Taken(
    open(t, server.url, { transports: ['longpoll'], cursor: 'abcd.0', probe: 400, silence: 400 }),
  )
  t.equal((await taken.until(1)).length, 1)
  t.equal(server.asked.filter((url) => url.includes('abcd.0')).length, 1)
})

t.test('a message that takes longer over a socket than silence is borne arrives', async (t) => {
  const big = `{"cursor":"abcd.1","channel":"default","time":1,"data":1}`
  // The socket is silent for longer with each connection.
  const server = await foreign(t, say(404, {}), (ws) => {
    ws.send('{"type":"ready","cursor":"abcd.0"}')
    setTimeout(() => ws.send(big), 900)
  })
  const taken = new Taken(
    open(t, server.url, { transports: ['ws'], cursor: 'abcd.0', silence: 200, probe: 200 }),
  )
  t.same(await taken.until(1), [1])
})

t.test('a refusal of somebody else for one transport does not end it, ours does', async (t) => {
  const { app, port } = await build(t)
  const proxy = await FaultProxy.start(t, port)
  const head = '403 Forbidden\r\nContent-Type: text/html'
  proxy.fault = ({ path }) => (path === '/poll' ? undefined : { kind: 'answer', head, body: '<p>Blocked' })
  await app.tidings.publish('default', 1)
  const taken = new Taken(open(t, proxy.url, { cursor: 'earliest' }))
  await taken.until(1)
  t.equal(taken.feed.transport, 'poll')
  const { url } = await build(t, { authorize: () => false })
  for (const transport of ['sse', 'longpoll', 'poll'] as const) {
    const feed = open(t, url, { transports: [transport] })
    const error = once(feed, 'error')
    t.match(await once(feed, 'close'), { code: 403, reason: 'Not permitted', wasClean: false })
    t.match(await error, { error: { code: 'TIDINGS_ERR_FORBIDDEN', status: 403, final: true } })
  }
})

t.test('behind a limiter it waits, then opens', async (t) => {
  const { app, port } = await build(t)
  const proxy = await FaultProxy.start(t, port)
  let last = 0
  proxy.fault = () => {
    const soon = Date.now() - last < 300
    last = Date.now()
    return soon ? { kind: 'answer', head: '429 Too Many Requests\r\nRetry-After: 1' } : undefined
  }
  await app.tidings.publish('default', 1)
  last = Date.now()
  const taken = new Taken(open(t, proxy.url, { cursor: 'earliest' }))
  t.same(await taken.until(1), [1])
})

t.test('nothing of the query is stored, and polls have addresses of their own', async (t) => {
  const { app, url } = await build(t)
  const asked: string[] = []
  app.server.on('request', (request) => asked.push(request.url!))
  const stored = new Map<string, string>()
  const storage = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
  }
  for (const i of range(1, 3)) {
    const feed = open(t, `${url}/?token=secret${i}#hash`, { storage, transports: ['poll'] })
    await once(feed, 'open')
    feed.close()
  }
  t.equal(stored.size, 1)
  t.notMatch([...stored.keys()].join(), /secret|hash/)
  t.equal(new Set(asked.map((url) => /_=[\d.e-]+$/.exec(url)![0])).size, asked.length)
})

const WRONG: [string, unknown][] = [
  ...['probe', 'upgradeAfter', 'silence', 'pollInterval', 'wait', 'buffer', 'keyAge'].flatMap((name) =>
    [Number.NaN, -1, 0, '5000', new Date(), {}].map((value): [string, unknown] => [name, value]),
  ),
  ['backoff', 5],
  ['transports', []],
  ['transports', ['carrier pigeon']],
  ['transports', 'ws'],
  ['channels', 'news'],
  ['channels', ['no channel']],
  ['channels', range(1, 33).map((i) => `c${i}`)],
  ['cursor', 'yesterday'],
  ['cursor', 5],
  ['ack', 'never'],
  ['onGap', 'now'],
  ['getToken', 'token'],
  ['fetch', {}],
  ['signal', 1],
  ['chanels', ['a']],
  ['base', 5],
]
for (const [name, value] of WRONG) {
  t.test(`option ${name} of ${String(value)} is refused`, async (t) => {
    const options = { transports: ['poll'], [name]: value } as unknown as ConnectOptions
    t.throws(() => connect('http://localhost', options), {
      name: 'TypeError',
      message: new RegExp(`'${name}'`),
    })
  })
}
t.test('times that no timer can hold, and options that are left out', async (t) => {
  t.throws(() => connect('http://localhost', { backoff: { base: 0 } }), { message: /'base'/ })
  t.throws(() => connect('ftp://localhost'), { name: 'TypeError', message: /http/ })
  for (const value of [Number.POSITIVE_INFINITY, 2 ** 31, 1e300]) {
    const server = await foreign(t, say(502, {}))
    const feed = open(t, server.url, {
      transports: ['sse', 'longpoll', 'poll'],
      probe: value,
      upgradeAfter: value,
      silence: value,
      pollInterval: value,
      wait: value,
      buffer: value,
      backoff: { base: value, cap: value },
      storage: undefined,
    } as unknown as ConnectOptions)
    await once(feed, 'status', ({ wait }) => wait !== undefined)
    await new Promise((resolve) => setTimeout(resolve, 300))
    t.ok(server.count <= 3)
  }
})
