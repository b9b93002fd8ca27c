import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocketServer } from 'ws'
import { type ConnectOptions, connect, type Feed, type Transport } from '../../client/index.ts'
import { build } from '../helper.ts'
import { FaultProxy } from '../proxy.ts'
import { once, open, range, type Socket, Taken } from './helper.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

t.test('says which option is missing where no transport can be used', async (t) => {
  const transports: Transport[] = ['ws']
  t.throws(() => connect('http://localhost', { transports }), {
    name: 'TypeError',
    message: /option 'WebSocket'/,
  })
  t.throws(() => connect('no address'), { code: 'ERR_INVALID_URL' })
})

t.test('leaves WebSocket out where there is none', async (t) => {
  const { url } = await build(t)
  const feed = connect(url)
  t.teardown(() => feed.close())
  // Polls may carry first.
  while (feed.transport !== 'sse' || feed.readyState !== 1) await once(feed, 'status')
  t.equal(feed.url, `${url}/`)
  t.equal(feed.bufferedAmount, 0)
  await t.rejects(feed.switchTo('ws'), { name: 'TypeError', message: /'ws'/ })
})

t.test('takes handlers by the names of WebSocket and EventSource', async (t) => {
  const { app, url } = await build(t)
  const feed = open<string>(t, url, { transports: ['ws'] })
  const heard: string[] = []
  t.equal(feed.onmessage, null)
  feed.onstatus = ({ readyState }) => heard.push(`status ${readyState}`)
  feed.onopen = () => heard.push('open')
  feed.onmessage = ({ data, lastEventId, cursor }) => heard.push(`message ${data} ${lastEventId === cursor}`)
  const closed = new Promise<void>((resolve) => {
    feed.onclose = ({ code, reason, wasClean }) => {
      heard.push(`close ${code} ${reason} ${wasClean}`)
      resolve()
    }
  })
  await once(feed, 'open')
  await app.tidings.publish('default', 'hi')
  await once(feed, 'message')
  feed.close(4000, 'enough')
  feed.close()
  await closed
  t.same(heard, ['status 0', 'status 1', 'open', 'message hi true', 'status 3', 'close 4000 enough true'])
})

t.test('switches between all transports under load: nothing lost, nothing twice', async (t) => {
  const { app, url } = await build(t)
  const feed = open(t, url, { cursor: 'earliest' })
  const taken = new Taken(feed)
  let count = 0
  let going = true
  const load = (async () => {
    while (going) {
      await app.tidings.publish('default', ++count)
      await turn()
    }
  })()
  t.equal(await feed.switchTo('longpoll'), true, 'before it is open')
  for (const transport of ['poll', 'sse', 'ws', 'longpoll', 'ws', 'poll', 'longpoll', 'sse'] as const) {
    t.equal(await feed.switchTo(transport), true)
    t.equal(feed.transport, transport)
    t.equal(await feed.switchTo(transport), true, 'it is there already')
  }
  going = false
  await load
  await taken.until(count)
  t.same(taken.data, range(1, count))
})

t.test('a switch that fails leaves the feed as it was', async (t) => {
  const { app, url } = await build(t, { transports: ['ws', 'longpoll', 'poll'] })
  const feed = open(t, url, { cursor: 'earliest' })
  const taken = new Taken(feed)
  await once(feed, 'open')
  t.equal(await feed.switchTo('sse'), false)
  await app.tidings.publish('default', 1)
  await taken.until(1)
  // The one after the other was overtaken.
  const [first, second] = await Promise.all([feed.switchTo('longpoll'), feed.switchTo('poll')])
  t.same([first, second], [false, true])
  const last = feed.switchTo('ws')
  t.equal(await feed.switchTo('poll'), true)
  t.equal(await last, false)
  const unfinished = feed.switchTo('ws')
  feed.close()
  t.equal(await unfinished, false)
})

t.test('the one on probation stands in when the other fails', async (t) => {
  const { app, port } = await build(t)
  const proxy = await FaultProxy.start(t, port)
  proxy.fault = ({ path }) => (path === '/longpoll' ? { kind: 'delay', ms: 100 } : undefined)
  const feed = open(t, proxy.url, { cursor: 'earliest', transports: ['ws', 'longpoll'] })
  const taken = new Taken(feed)
  await app.tidings.publish('default', 1)
  await taken.until(1)
  // The server ends the sockets alone.
  const switched = feed.switchTo('longpoll')
  while (!proxy.count('/longpoll')) await turn()
  for (const client of app.websocketServer?.clients ?? []) client.terminate()
  t.equal(await switched, true)
  await app.tidings.publish('default', 2)
  t.same(await taken.until(2), [1, 2])
})

t.test('a gap while a better one is on probation is told once', async (t) => {
  const { app, port } = await build(t, { retention: { messages: 2 } })
  const proxy = await FaultProxy.start(t, port)
  proxy.fault = ({ path }) => (path === '/ws' ? { kind: 'delay', ms: 30 } : undefined)
  const feed = open(t, proxy.url, { cursor: 'earliest', transports: ['poll', 'ws'], pollInterval: 40 })
  const taken = new Taken(feed)
  await once(feed, 'open')
  const switched = feed.switchTo('ws')
  for (const i of range(1, 5)) await app.tidings.publish('default', i)
  t.equal(await switched, true)
  await app.tidings.publish('default', 6)
  while (taken.data.at(-1) !== 6) await turn()
  t.same(taken.data, [4, 5, 6])
  t.same(taken.gaps, ['trimmed'])
})

t.test('remembers what worked: in this program, and where a page may store it', async (t) => {
  const { port } = await build(t)
  const proxy = await FaultProxy.start(t, port)
  proxy.fault = ({ path }) =>
    path === '/ws' || path === '/sse' ? { kind: 'answer', head: '502 Bad Gateway' } : undefined
  const stored = new Map<string, string>()
  const storage = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
  }
  await once(open(t, proxy.url, { storage }), 'open')
  // Where the machine is slow it begins with the poll that it asks beside.
  while ([...stored.values()][0] !== 'longpoll') await turn()
  const full = {
    getItem: () => null,
    setItem() {
      throw new Error('full')
    },
  }
  const asked = proxy.count('/ws')
  const again = open(t, proxy.url, { storage: full })
  await once(again, 'open')
  t.equal(again.transport, 'longpoll')
  t.equal(proxy.count('/ws'), asked)
  // Where it fails, the others of the round are tried.
  proxy.fault = ({ path }) => (path === '/sse' ? undefined : { kind: 'answer', head: '502 Bad Gateway' })
  const third = open(t, proxy.url, { storage })
  await once(third, 'open')
  t.equal(third.transport, 'sse')
})

for (const [status, code] of [
  ['400 Bad Request', 400],
  ['401 Unauthorized', 401],
  ['403 Forbidden', 403],
] as const) {
  t.test(`${code} of every transport is final`, async (t) => {
    const { port } = await build(t)
    const proxy = await FaultProxy.start(t, port)
    proxy.fault = () => ({ kind: 'answer', head: status })
    const feed = open(t, proxy.url, { transports: ['sse', 'poll'] })
    const closed = once(feed, 'close')
    const loop = (async () => {
      for await (const _ of feed);
    })()
    await t.rejects(loop, { code, final: true })
    t.match(await closed, { code, wasClean: false })
    t.equal(proxy.seen.length, 2)
  })
}

/** A server that closes each socket with a code, the first time. */
async function closing(t: Test, code: number | undefined): Promise<string> {
  const http = createServer()
  const sockets = new WebSocketServer({ server: http })
  let times = 0
  sockets.on('connection', (socket) => {
    socket.send(`{"type":"ready","cursor":"abcd.${times}"}`)
    if (times++) return
    if (code === undefined) socket.terminate()
    else socket.close(code, 'because')
  })
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    http.close()
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`
}

for (const code of [1003, 1007, 1008, 1009]) {
  t.test(`close code ${code} is final`, async (t) => {
    const feed = open(t, await closing(t, code), { transports: ['ws'] })
    t.match(await once(feed, 'close'), { code, reason: 'because', wasClean: false })
  })
}

for (const code of [1000, 1001, 1011, 4008, undefined]) {
  t.test(`close code ${code ?? 1006} is not: it comes back at its place`, async (t) => {
    const feed = open(t, await closing(t, code), { transports: ['ws'] })
    const { error } = await once(feed, 'error')
    t.equal(error.code, code ?? 1006)
    await once(feed, 'open')
    t.equal(feed.cursor, 'abcd.1')
  })
}

t.test('an iteration gives what comes from when it began, and ends with the feed', async (t) => {
  const { app, url } = await build(t)
  const feed = open(t, url)
  const abort: number[] = []
  const first = (async () => {
    for await (const { data } of feed) if (abort.push(data) === 2) break
  })()
  const all: number[] = []
  const second = (async () => {
    for await (const { data } of feed) all.push(data)
  })()
  await once(feed, 'open')
  for (const i of range(1, 3)) await app.tidings.publish('default', i)
  await once(feed, 'message', ({ data }) => data === 3)
  feed.close()
  await Promise.all([first, second])
  t.same(abort, [1, 2])
  t.same(all, [1, 2, 3])
})

/** It was open, and has stopped. */
async function held(feed: Feed<number>): Promise<void> {
  let opened = false
  feed.onopen = () => {
    opened = true
  }
  await once(feed, 'status', ({ readyState }) => opened && readyState === 0)
}

for (const transport of ['ws', 'sse', 'longpoll', 'poll'] as const) {
  t.test(`${transport}: a slow iteration stops the feed, and misses nothing`, async (t) => {
    const { app, url } = await build(t)
    for (const i of range(1, 50)) await app.tidings.publish('default', i)
    const feed = open(t, url, { transports: [transport], cursor: 'earliest', buffer: 10 })
    const loop = feed[Symbol.asyncIterator]()
    const first = loop.next()
    await held(feed)
    t.ok(Number(feed.cursor!.split('.')[1]) < 15)
    t.equal(feed.bufferedAmount, 0)
    const got = [(await first).value!.data]
    while (got.length < 50) got.push((await loop.next()).value!.data)
    t.same(got, range(1, 50))
  })
}

t.test('stays closed when it is closed while it waits for an iteration, or for onGap', async (t) => {
  const { app, url } = await build(t)
  for (const i of range(1, 5)) await app.tidings.publish('default', i)
  const feed = open(t, url, { cursor: 'earliest', buffer: 2 })
  const loop = feed[Symbol.asyncIterator]()
  const first = loop.next()
  await held(feed)
  await first
  t.equal(await Promise.race([feed.switchTo('poll'), turn()]), undefined, 'pending')
  feed.close()
  const rest = []
  for await (const { data } of { [Symbol.asyncIterator]: () => loop }) rest.push(data)
  t.same(rest, range(2, Number(feed.cursor!.split('.')[1])))

  let answer = (_: undefined) => {}
  const gone = open(t, url, {
    cursor: 'another.1',
    onGap: () =>
      new Promise((resolve) => {
        answer = resolve
      }),
  })
  await once(gone, 'gap')
  gone.close()
  answer(undefined)
  await once(gone, 'close')
  await turn()
  t.equal(gone.readyState, 3)
})

t.test('a throw of onGap ends the feed with it', async (t) => {
  const { url } = await build(t)
  const feed = open(t, url, {
    cursor: 'another.1',
    onGap() {
      throw new Error('the state is lost')
    },
  })
  const closed = once(feed, 'close')
  await t.rejects(feed[Symbol.asyncIterator]().next(), { message: 'the state is lost' })
  t.match(await closed, { wasClean: false, reason: 'Error: the state is lost' })
})

t.test('a signal that has aborted before: it never connects', async (t) => {
  const { app, url } = await build(t)
  let requests = 0
  app.server.on('request', () => requests++)
  const feed = open(t, url, { signal: AbortSignal.abort(), transports: ['poll'] })
  await once(feed, 'close')
  const closed = open(t, url)
  closed.close()
  await once(closed, 'close')
  t.equal(requests, 0)
})

/** What a browser has: Node's global object is no EventTarget. */
function browser(t: Test): EventTarget {
  const page = new EventTarget()
  const names = ['addEventListener', 'removeEventListener'] as const
  for (const name of names) Object.assign(globalThis, { [name]: page[name].bind(page) })
  Object.assign(globalThis, { document: page })
  t.teardown(() => {
    for (const name of [...names, 'document']) Reflect.deleteProperty(globalThis, name)
  })
  return page
}

t.test('the network is back: what waits is tried at once', async (t) => {
  const page = browser(t)
  const { app, port } = await build(t)
  const proxy = await FaultProxy.start(t, port)
  await proxy.refuse()
  const feed = open(t, proxy.url, { cursor: 'earliest', backoff: { base: 1e9, cap: 1e9 } })
  const taken = new Taken(feed)
  await once(feed, 'status', ({ wait }) => wait! > 5000)
  await proxy.accept()
  page.dispatchEvent(new Event('online'))
  await app.tidings.publish('default', 1)
  t.same(await taken.until(1), [1])
})

t.test('the network is back, but the server has asked to be left alone', async (t) => {
  const page = browser(t)
  const { port } = await build(t)
  const proxy = await FaultProxy.start(t, port)
  proxy.fault = () => ({ kind: 'answer', head: '503 Service Unavailable\r\nRetry-After: 1000' })
  const feed = open(t, proxy.url, { transports: ['poll'] })
  await once(feed, 'status', ({ wait }) => wait !== undefined)
  page.dispatchEvent(new Event('online'))
  await once(open(t, proxy.url, { transports: ['longpoll'] }), 'error')
  t.equal(proxy.count('/poll'), 1)
})

for (const type of ['online', 'visibilitychange', 'pageshow']) {
  t.test(`${type} cuts a long Retry-After short`, async (t) => {
    const page = browser(t)
    const { app, port } = await build(t)
    const proxy = await FaultProxy.start(t, port)
    const answers = [{ kind: 'answer', head: '503 Service Unavailable\r\nRetry-After: 1000' }] as const
    proxy.fault = ({ path }) => (path === '/poll' ? answers[proxy.count(path) - 1] : undefined)
    const feed = open(t, proxy.url, { transports: ['poll'], cursor: 'earliest', probe: 200 })
    const taken = new Taken(feed)
    await once(feed, 'status', ({ wait }) => wait! > 100_000)
    page.dispatchEvent(new Event(type))
    await app.tidings.publish('default', 1)
    t.same(await taken.until(1), [1])
  })
}

t.test('the page is looked at again: a socket is asked whether it lives', async (t) => {
  const page = browser(t)
  const { app, port } = await build(t)
  const proxy = await FaultProxy.start(t, port)
  const feed = open(t, proxy.url, { transports: ['ws'], probe: 200 })
  page.dispatchEvent(new Event('visibilitychange'))
  const taken = new Taken(feed)
  await once(feed, 'open')
  proxy.freeze()
  page.dispatchEvent(new Event('visibilitychange'))
  t.match(await once(feed, 'error'), { error: { message: /nothing came within/ } })
  await app.tidings.publish('default', 1)
  t.same(await taken.until(1), [1])
})

t.test(
  'the page is looked at again: a link is made anew, also where the first attempt meets a dead connection',
  async (t) => {
    const page = browser(t)
    const { app, port } = await build(t)
    const proxy = await FaultProxy.start(t, port)
    let dead = 0
    const pooled: typeof fetch = (input, init) => {
      if (!dead) return fetch(input, init)
      dead--
      return new Promise((_resolve, reject) =>
        init!.signal!.addEventListener('abort', () => reject(new Error())),
      )
    }
    const feed = open(t, proxy.url, {
      transports: ['sse'],
      probe: 100,
      silence: 600_000,
      cursor: 'earliest',
      fetch: pooled,
    })
    const taken = new Taken(feed)
    await app.tidings.publish('default', 1)
    await taken.until(1)
    const { now } = Date
    t.teardown(() => {
      Date.now = now
    })
    // So old is what is made anew.
    Date.now = () => now() + 1000
    proxy.freeze()
    dead = 2
    page.dispatchEvent(new Event('visibilitychange'))
    await app.tidings.publish('default', 2)
    t.same(await taken.until(2), [1, 2])
    t.equal(dead, 0)
  },
)

t.test('an idle socket is kept by pings, and its place moves on', async (t) => {
  const { app, url } = await build(t)
  const feed = open(t, url, { transports: ['ws'], silence: 60, channels: ['quiet'] })
  const taken = new Taken(feed)
  await once(feed, 'open')
  await app.tidings.publish('loud', 1)
  while (!feed.cursor?.endsWith('.1')) await turn()
  t.same(taken.errors, [])
})

t.test('closes when what was published has been answered', async (t) => {
  const { app, url } = await build(t, { publish: true })
  const feed = open(t, url, { transports: ['ws'] })
  await once(feed, 'open')
  const published = range(1, 3).map((i) => feed.publish('default', i))
  t.ok(feed.bufferedAmount >= 0)
  feed.close()
  t.equal((await Promise.all(published)).length, 3)
  t.equal(app.tidings.bus.log.head, 3)
})

t.test('a publish that gets no answer before the end rejects', async (t) => {
  const { port } = await build(t, { publish: true })
  const proxy = await FaultProxy.start(t, port)
  const feed = open(t, proxy.url, { transports: ['ws'], probe: 200 })
  await once(feed, 'open')
  proxy.freeze()
  const published = feed.publish('default', 1)
  feed.close()
  await t.rejects(published, { message: /the publish may have succeeded/ })
})

t.test(
  'a publish over a socket: what is full for now is tried again, other refusals are final',
  async (t) => {
    const { url } = await build(t, { publish: true, retention: { keys: 1, keyAge: 100 } })
    const feed = open(t, url, { transports: ['ws'] })
    await once(feed, 'open')
    await feed.publish('default', 1, { key: 'a' })
    await feed.publish('default', 2, { key: 'b' })
    await t.rejects(feed.publish('default', 3, { key: 'x'.repeat(129) }), { code: 'TIDINGS_ERR_KEY' })
  },
)

t.test('refusals of a POST say why; those that are no JSON too', async (t) => {
  const { url, port } = await build(t)
  await t.rejects(open(t, url, { transports: ['poll'] }).publish('default', 1), { code: 404, final: true })
  const proxy = await FaultProxy.start(t, port)
  proxy.fault = () => ({ kind: 'answer', head: '413 Content Too Large', body: 'no' })
  const feed = open(t, proxy.url, { transports: ['poll'] })
  await t.rejects(feed.publish('default', 1), { code: 413, message: 'the server responded with 413' })
})

t.test('headers of the option go with every fetch', async (t) => {
  const { app, url } = await build(t, {
    authorize: ({ headers }) => headers['x-pass'] === 'yes',
  })
  const options: ConnectOptions = { request: { headers: { 'x-pass': 'yes' } }, cursor: 'earliest' }
  for (const transport of ['sse', 'longpoll', 'poll'] as const) {
    const feed = open(t, url, { ...options, transports: [transport] })
    await feed.publish('default', 1)
    await once(feed, 'open')
    feed.close()
  }
  t.equal(app.tidings.bus.log.head, 3)
})

t.test(
  'frames that are no JSON end the link; a WebSocket that throws is a transport that failed',
  async (t) => {
    const http = createServer()
    const sockets = new WebSocketServer({ server: http })
    sockets.on('connection', (socket) => socket.send('no JSON'))
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    t.teardown(() => {
      for (const socket of sockets.clients) socket.terminate()
      http.close()
    })
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
    t.match(await once(open(t, url, { transports: ['ws'] }), 'error'), { error: { message: /SyntaxError/ } })

    class Refused {
      constructor() {
        throw new Error('mixed content')
      }
    }
    const { url: good } = await build(t)
    const feed = open(t, good, { WebSocket: Refused as unknown as typeof Socket })
    t.match(await once(feed, 'error'), { transport: 'ws', error: { message: 'Error: mixed content' } })
    await once(feed, 'status', ({ readyState, transport }) => readyState === 1 && transport === 'sse')
  },
)

t.test('a page that may not store anything works as well', async (t) => {
  Object.defineProperty(globalThis, 'sessionStorage', {
    configurable: true,
    get() {
      throw new Error('SecurityError')
    },
  })
  t.teardown(() => Reflect.deleteProperty(globalThis, 'sessionStorage'))
  const { url } = await build(t)
  const feed = open(t, url)
  await once(feed, 'open')
  t.equal(feed.transport, 'ws')
})

t.test('a storage that throws does no harm', async (t) => {
  const { app, url } = await build(t)
  await app.tidings.publish('default', 1)
  const storage = {
    getItem: () => {
      throw new DOMException('The operation is insecure', 'SecurityError')
    },
    setItem: () => {
      throw new DOMException('The quota has been exceeded', 'QuotaExceededError')
    },
  }
  const taken = new Taken(open(t, url, { storage, cursor: 'earliest' }))
  t.same(await taken.until(1), [1])
  t.same(taken.errors, [])
})

t.test('publishes by POST while the socket is not open', async (t) => {
  const { app, url } = await build(t, { publish: true })
  const feed = open(t, url, { transports: ['ws'] })
  const published = new Promise((resolve) => {
    feed.onstatus = () => {
      feed.onstatus = null
      t.equal(feed.bufferedAmount, 0)
      resolve(feed.publish('default', 1))
    }
  })
  t.match(await published, { cursor: /\.1$/, channel: 'default' })
  t.equal(app.tidings.bus.log.head, 1)
})

t.test('the network is back: what can not be asked goes on as it was', async (t) => {
  const page = browser(t)
  const { app, url } = await build(t)
  const feed = open(t, url, { transports: ['sse'] })
  const taken = new Taken(feed)
  await once(feed, 'open')
  page.dispatchEvent(new Event('online'))
  await app.tidings.publish('default', 1)
  t.same(await taken.until(1), [1])
  t.same(taken.errors, [])
})

t.test('an address may be relative to the page, and an error handler may close the feed', async (t) => {
  const { url } = await build(t)
  Object.assign(globalThis, { location: { href: `${url}/page/` } })
  t.teardown(() => Reflect.deleteProperty(globalThis, 'location'))
  const feed = open(t, '../none', { transports: ['poll'] })
  t.equal(feed.url, `${url}/none`)
  feed.onerror = () => feed.close()
  t.match(await once(feed, 'close'), { wasClean: true })
  t.equal(feed.readyState, 3)
})
