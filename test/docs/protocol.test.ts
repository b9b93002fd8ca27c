import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ERR_UNAVAILABLE } from '../../bus/errors.ts'
import { memoryBus } from '../../bus/memory.ts'
import { ROOT } from '../child.ts'
import { type Built, build, live, openSocket, openStream } from '../helper.ts'
import { type Asked, ask } from '../request.ts'
import { pageOf, rowsOf } from './pages.ts'

/*
 * Each row of the tables of docs/protocol.md, against a listening server. A row without a case fails, and so does a
 * case without a row. Where another test goes through a row, the case names its file and a part of it.
 */

const page = pageOf('docs/protocol.md')

type Case = ((t: Test) => Promise<unknown>) | { file: string; has: string }

async function go(t: Test, heading: string, cases: Record<string, Case>, columns = 1): Promise<void> {
  const rows = rowsOf(page, heading).map((cells) => cells.slice(0, columns).join(' '))
  t.strictSame(rows.sort(), Object.keys(cases).sort(), heading)
  for (const [row, check] of Object.entries(cases)) {
    await t.test(row, async (t) => {
      if (typeof check === 'function') await check(t)
      else t.ok((await readFile(join(ROOT, check.file), 'utf8')).includes(check.has), check.file)
    })
  }
}

/** Of 'default', the messages 3 and 4 are kept; 5 is in 'j', 6 in 'b'. */
async function filled(t: Test, options: Parameters<typeof build>[1] = {}) {
  const built = await build(t, { publish: true, echo: true, retention: { messages: 2 }, ...options })
  for (const data of ['1', '2', '3', '4']) await built.app.tidings.publish('default', data)
  await built.app.tidings.publish('j', { n: 5 })
  await built.app.tidings.publish('b', Uint8Array.of(6))
  return { ...built, at: (seq: number) => built.app.tidings.bus.log.cursor(seq) }
}

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  ask(`${url}/publish`, { method: 'POST', body, headers })

t.test('where to start', async (t) => {
  const { url, at } = await filled(t)
  const read = async (query: string) =>
    (await ask(`${url}/poll?${query}`)).json.messages.map(({ data }: { data: string }) => data)
  await go(t, '## Cursors', {
    'a cursor': async (t) => t.strictSame(await read(`cursor=${at(3)}`), ['4']),
    '`earliest`': async (t) => t.strictSame(await read('cursor=earliest'), ['3', '4']),
    '`last:N`': async (t) => {
      t.strictSame(await read('cursor=last:1'), ['4'])
      t.strictSame(await read('cursor=last:1&channel=default&channel=b&channel=j'), ['4', { n: 5 }, 'Bg=='])
    },
    '`since:MS`': async (t) => {
      t.strictSame(await read('cursor=since:0'), ['3', '4'])
      t.equal((await ask(`${url}/poll?cursor=since:${Date.now() + 60_000}`)).status, 204)
    },
    '`now`': async (t) => t.strictSame(await read('cursor=now'), []),
    absent: async (t) => t.strictSame(await read(''), []),
  })
})

t.test('messages and gaps', async (t) => {
  const { url, at } = await filled(t)
  const gap = async (t: Test, cursor: string, end: string) => {
    const [, , reason] = /(.*)(trimmed|epoch|ahead)/.exec(t.name)!
    t.match((await ask(`${url}/poll?cursor=${cursor}`)).json, { reason, cursor: end })
    t.equal((await ask(`${url}/poll?cursor=${end}`)).status === 410, false, 'told once')
  }
  await go(t, '## Gaps', {
    '`trimmed`': (t) => gap(t, at(1), at(2)),
    '`epoch`': (t) => gap(t, 'abcd.9', at(2)),
    '`ahead`': (t) => gap(t, at(99), at(6)),
  })
  const [json] = (await ask(`${url}/poll?cursor=earliest&channel=j`)).json.messages
  const [bytes] = (await ask(`${url}/poll?cursor=earliest&channel=b`)).json.messages
  await go(t, '## Messages', {
    '`cursor`': async (t) => t.equal(json.cursor, at(5)),
    '`channel`': async (t) => t.equal(json.channel, 'j'),
    '`time`': async (t) => t.ok(Math.abs(json.time - Date.now()) < 3_600_000),
    '`data`': async (t) => t.strictSame([json.data, bytes.data], [{ n: 5 }, 'Bg==']),
    '`encoding`': async (t) => t.strictSame([json.encoding, bytes.encoding], [undefined, 'base64']),
    '`end`': { file: 'test/routes/ends.test.ts', has: 'end: true }], ended:' },
  })
})

t.test('ends', async (t) => {
  const file = 'test/routes/ends.test.ts'
  await go(t, '## Ends', {
    '`/poll`, `/longpoll`': { file, has: "t.test('a page says which of its channels have ended" },
    '`/poll`, `/longpoll` in the raw form': { file, has: "t.test('polls in the raw form'" },
    '`/sse`': { file, has: "t.test('a stream tells each end, and ends with the last'" },
    '`/ws`': { file, has: "t.test('a socket tells each end, and stays'" },
    '`/ws` in the raw form': { file, has: "t.test('a raw socket closes with its channel'" },
  })
})

t.test('publishing', async (t) => {
  const { url } = await build(t, { publish: true })
  const becomes = async (t: Test, type: string | undefined, body: string, data: unknown) => {
    const { status, json } = await post(url, body, type === undefined ? {} : { 'content-type': type })
    t.equal(status, 201)
    const before = json.cursor.replace(/\d+$/, (seq: string) => Number(seq) - 1)
    t.match((await ask(`${url}/poll?cursor=${before}`)).json.messages[0], data)
  }
  await go(t, '## POST /publish', {
    '`application/json`': (t) => becomes(t, 'application/json', '{"n":1}', { data: { n: 1 } }),
    '`application/ld+json`': (t) => becomes(t, 'application/ld+json', '[1]', { data: [1] }),
    '`text/csv`': (t) => becomes(t, 'text/csv', '1,2', { data: '1,2' }),
    '`application/x-www-form-urlencoded`': (t) =>
      becomes(t, 'application/x-www-form-urlencoded', 'a=1', { data: 'a=1' }),
    none: (t) => becomes(t, undefined, 'x', { data: 'x' }),
    '`image/png`': (t) => becomes(t, 'image/png', 'x', { data: 'eA==', encoding: 'base64' }),
    '201': async (t) =>
      t.match((await post(url, 'x')).json, { cursor: String, channel: 'default', time: Number }),
    '200': async (t) => {
      const first = await post(url, 'x', { 'idempotency-key': 'k' })
      const again = await post(url, 'x', { 'idempotency-key': 'k' })
      t.strictSame([again.status, again.text], [200, first.text])
    },
  })
})

t.test('polls', async (t) => {
  const { app, url, at } = await filled(t)
  const get = (query: string, headers = {}) => ask(`${url}/poll?${query}`, { headers })
  const invalid = async (t: Test, path: string) => t.match(await ask(url + path), { status: 400 })
  await go(t, '## GET /poll and GET /longpoll', {
    '`channel`': (t) => invalid(t, '/poll?channel='),
    '`cursor`': (t) => invalid(t, '/poll?cursor='),
    '`limit`': async (t) => {
      t.match((await get('cursor=earliest&limit=1')).json, {
        cursor: at(3),
        more: true,
        messages: { length: 1 },
      })
      await invalid(t, '/poll?limit=0')
    },
    '`format`': (t) => invalid(t, '/poll?format=json'),
    '`wait`': async (t) => {
      t.equal((await ask(`${url}/longpoll?cursor=now&wait=0`)).status, 204)
      const headers = { prefer: 'wait=99' }
      const preferred = await ask(`${url}/longpoll?cursor=earliest`, { headers })
      t.equal(preferred.headers['preference-applied'], 'wait=55')
    },
    'messages after the cursor': async (t) =>
      t.match(await get('cursor=earliest'), { status: 200, json: { cursor: at(6), more: false } }),
    'no cursor, or `now` on `/poll`': async (t) => {
      t.match((await get('')).json, { cursor: at(6), messages: { length: 0 } })
      t.equal((await get('format=raw')).status, 204)
    },
    'no messages after the cursor': async (t) =>
      t.match(await get(`cursor=${at(6)}`), { status: 204, text: '', headers: { 'tidings-cursor': at(6) } }),
    'no messages, and a matching `If-None-Match`': async (t) =>
      t.match(await get('', { 'if-none-match': `W/"${at(6)}"` }), { status: 304 }),
    'a channel has ended': async (t) => {
      const ended = await filled(t)
      await ended.app.tidings.end('b')
      const last = ended.at(7)
      for (const query of ['channel=b&channel=j&cursor=earliest', `channel=b&cursor=${last}`]) {
        t.match((await ask(`${ended.url}/poll?${query}`)).json, { cursor: last, more: false, ended: ['b'] })
      }
    },
    'a gap': async (t) => {
      const headers = { 'tidings-gap': 'trimmed', 'tidings-cursor': at(2) }
      t.match(await get(`cursor=${at(1)}`), {
        status: 410,
        headers,
        json: { reason: 'trimmed', cursor: at(2) },
      })
    },
    'raw form, a message after the cursor': async (t) => {
      const headers = { 'tidings-cursor': at(3), 'content-type': 'text/plain; charset=utf-8' }
      t.match(await get('cursor=earliest&format=raw'), { status: 200, text: '3', headers })
    },
    'raw form, the channel has ended': async (t) => {
      await app.tidings.end('ended')
      const headers = { 'tidings-ended': 'ended' }
      t.match(await get('cursor=earliest&format=raw&channel=ended'), { status: 204, text: '', headers })
    },
  })
})

t.test('streams', async (t) => {
  const { url, at } = await filled(t, { heartbeat: { sse: 20 } })
  const stream = await openStream(t, `${url}/sse?cursor=${at(1)}`)
  await go(t, '## GET /sse', {
    '`ready`': async (t) => t.match(await stream.next(), { event: 'ready', retry: /^\d+$/, id: at(1) }),
    '`gap`': async (t) => t.match(await stream.next(), { event: 'gap', id: at(2), data: /trimmed/ }),
    '(none)': async (t) => {
      const block = await stream.next()
      t.strictSame([block.event, block.id, JSON.parse(block.data!).data], [undefined, at(3), '3'])
      await stream.next()
    },
    '(comment)': async (t) => t.strictSame(await stream.next(), { comment: '' }),
    '`end`': async (t) => {
      const { app, url } = await build(t)
      const { cursor } = await app.tidings.end('default', 'x')
      const ended = await openStream(t, `${url}/sse?cursor=earliest`)
      await ended.next()
      const data = JSON.stringify({ channel: 'default', cursor, data: 'x' })
      t.strictSame(await ended.next(), { event: 'end', data, id: cursor })
    },
    '`bytes`': async (t) => {
      const raw = await openStream(t, `${url}/sse?channel=b&cursor=earliest&format=raw`)
      await raw.next()
      t.match(await raw.next(), { event: 'bytes', data: 'Bg==', id: at(6) })
    },
  })
})

t.test('sockets', async (t) => {
  const { app, url, at } = await filled(t)
  const socket = await openSocket(t, `${url}/ws?cursor=${at(1)}`)
  const other = { type: 'subscribe', channel: 'other', cursor: 'earliest', ref: 3 }
  /** Frames that come only as an answer, by the frame that was sent. */
  const answered = async (t: Test, sent: object, answer: object) => {
    const own = await openSocket(t, `${url}/ws?channel=j`)
    await own.json()
    own.send(sent)
    t.match(await own.json(), answer)
  }
  const publish = { type: 'publish', channel: 'p', data: 'eA==', encoding: 'base64', key: 'k', ref: [2] }
  const closes = async (t: Test, path: string, sent: string | Buffer, code: number, options = {}) => {
    const built = await build(t, { publish: true, ...options })
    const own = await openSocket(t, built.url + path)
    own.send(sent)
    t.match(await own.closed, { code })
    return built
  }
  const published = async (t: Test) => {
    await answered(t, publish, { type: 'published', ref: [2], cursor: String })
  }
  const subscribed = (t: Test) =>
    answered(t, other, { type: 'subscribed', ref: 3, channel: 'other', cursor: String })
  const unsubscribed = (t: Test) =>
    answered(t, { type: 'unsubscribe', channel: 'j', ref: 4 }, { type: 'unsubscribed', ref: 4, channel: 'j' })
  const pong = (t: Test) => answered(t, { type: 'ping', ref: 5 }, { type: 'pong', ref: 5, cursor: String })
  await go(t, '## GET /ws', {
    '`{"type":"ready","cursor":…}`': async (t) =>
      t.strictSame(await socket.json(), { type: 'ready', cursor: at(1) }),
    '`{"type":"gap","reason":…,"cursor":…}`': async (t) =>
      t.strictSame(await socket.json(), { type: 'gap', reason: 'trimmed', cursor: at(2) }),
    'an envelope, which has no `type`': async (t) =>
      t.match(await socket.json(), { type: undefined, cursor: at(3), channel: 'default', data: '3' }),
    '`{"type":"end","channel":…,"cursor":…,"data":…}`': async (t) => {
      const ended = await build(t)
      const { cursor } = await ended.app.tidings.end('default', 'x')
      const own = await openSocket(t, `${ended.url}/ws?cursor=earliest`)
      await own.json()
      t.strictSame(await own.json(), { type: 'end', channel: 'default', cursor, data: 'x' })
    },
    '`{"type":"published","ref":…,"cursor":…}`': published,
    '`{"type":"subscribed","ref":…,"channel":…,"cursor":…}`': subscribed,
    '`{"type":"unsubscribed","ref":…,"channel":…}`': unsubscribed,
    '`{"type":"pong","ref":…,"cursor":…}`': pong,
    '`{"type":"error","ref":…,"code":…,"message":…}`': (t) =>
      answered(
        t,
        { type: 'x', ref: 6 },
        { type: 'error', ref: 6, code: 'TIDINGS_ERR_FRAME', message: String },
      ),
    '`{"type":"publish","channel":…,"data":…,"encoding":…,"key":…,"end":…,"ref":…}`': async (t) => {
      await published(t)
      const { messages } = (await ask(`${url}/poll?channel=p&cursor=earliest`)).json
      t.match(messages, [{ data: 'eA==', encoding: 'base64' }])
      t.equal(messages.length, 1, 'the key is that of the first')
      await answered(t, { type: 'publish', channel: 'e', end: true }, { type: 'published' })
      t.ok(app.tidings.bus.log.endOf('e'))
    },
    '`{"type":"subscribe","channel":…,"cursor":…,"ref":…}`': subscribed,
    '`{"type":"unsubscribe","channel":…,"ref":…}`': unsubscribed,
    '`{"type":"ping","ref":…}`': pong,
    '1000': { file: 'test/routes/ends.test.ts', has: '{ code: 1000 }' },
    '1001': async (t) => {
      const built = await build(t)
      const own = await openSocket(t, `${built.url}/ws`)
      const closed = built.app.close()
      t.match(await own.closed, { code: 1001 })
      await closed
    },
    '1002': { file: 'test/routes/ws-frames.test.ts', has: '1002' },
    '1003': (t) => closes(t, '/ws', Buffer.from('x'), 1003),
    '1007': { file: 'test/routes/ws-frames.test.ts', has: '1007' },
    '1008': async (t) => {
      await closes(t, '/ws?format=raw', 'x', 1008, { publish: false })
      await closes(t, '/ws', '{}', 1008, { authorize: () => ({ until: Date.now() + 50 }) })
    },
    '1009': async (t) => {
      await closes(t, '/ws', 'x'.repeat(6 * 10 + 4097), 1009, { payloadLimit: 10 })
      await closes(t, '/ws?format=raw', 'x'.repeat(11), 1009, { payloadLimit: 10 })
    },
    '1011': async (t) => {
      const authorize = (_: unknown, { action }: { action: string }) => {
        if (action === 'publish') throw new Error('a fault of the program')
        return true
      }
      await closes(t, '/ws?format=raw', 'x', 1011, { authorize })
    },
    '4008': { file: 'test/slow.test.ts', has: '4008' },
    '4010': async (t) => {
      const own = await openSocket(t, `${url}/ws?format=raw&cursor=${at(1)}`)
      t.strictSame(await own.closed, { code: 4010, reason: at(2) })
    },
  })
  t.ok(app.tidings.bus.log.head > 6)
})

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** The request that a row of the table of errors writes: a line, perhaps an upgrade, headers and a body. */
function requestOf(cell: string, epoch: string): { path: string; asked: Asked } {
  const [line = '', ...parts] = Array.from(cell.matchAll(/`([^`]*)`/g), ([, text]) => text!)
  const [method = '', path = ''] = line.replace('EPOCH', epoch).split(' ')
  const headers: Record<string, string> = cell.includes('with an upgrade') ? { ...UPGRADE } : {}
  let body = method === 'POST' ? 'x' : undefined
  for (const part of parts) {
    const [, name, value] = /^([A-Z][A-Za-z-]+): ?(.*)$/.exec(part) ?? []
    if (name === undefined) body = part
    else headers[name.toLowerCase()] = cell.includes('129 characters') ? 'k'.repeat(129) : value!
  }
  if (cell.includes('65,537 bytes')) body = 'x'.repeat(65_537)
  return { path, asked: { method, headers, ...(body !== undefined && { body }) } }
}

async function refusals(t: Test, { url, app }: Built): Promise<void> {
  const rows = rowsOf(page, '## Errors') as [string, string][]
  const requests = rows.filter(([cell]) => cell.startsWith('`GET') || cell.startsWith('`POST'))
  t.ok(requests.length > 20)
  for (const [cell, answer] of requests) {
    const [, status, code] = /^(\d+) `(\w+)`$/.exec(answer)!
    const { path, asked } = requestOf(cell, app.tidings.bus.log.epoch)
    const { status: got, json, headers } = await ask(url + path, asked)
    t.strictSame([got, json.statusCode, json.code], [Number(status), Number(status), code], cell)
    t.match(json, { error: String, message: String })
    t.equal(headers['cache-control'], 'no-store', cell)
  }
  t.equal(app.tidings.bus.log.head, 6, 'what is refused publishes nothing')

  const frames = rows.filter(([cell]) => cell.startsWith('`{'))
  t.ok(frames.length > 4)
  const socket = await openSocket(t, `${url}/ws`)
  await socket.json()
  for (const [cell, code] of frames) {
    socket.send(cell.slice(1, -1))
    t.match(await socket.json(), { type: 'error', code: code.slice(1, -1) }, cell)
  }
}

t.test('errors', async (t) => {
  await refusals(t, await filled(t))
  const states = (rowsOf(page, '## Errors') as [string, string][]).filter(([cell]) => /^\d/.test(cell!))
  const cases: Record<string, () => Promise<{ status: number; json: { code?: string } }>> = {
    '401 of the application': async () => {
      const authorize = () => {
        throw Object.assign(new Error('Sign in'), { statusCode: 401 })
      }
      return ask(`${(await build(t, { authorize })).url}/poll`)
    },
    '403 TIDINGS_ERR_FORBIDDEN': async () => ask(`${(await build(t, { authorize: () => false })).url}/sse`),
    '409 TIDINGS_ERR_ENDED': async () => {
      const { app, url } = await build(t, { publish: true })
      await app.tidings.end('default')
      return post(url, 'x')
    },
    '413 TIDINGS_ERR_TOO_LARGE': async () =>
      post((await build(t, { publish: true, retention: { bytes: 600 } })).url, 'x'.repeat(2000)),
    '422 TIDINGS_ERR_KEY_REUSED': async () => {
      const { url } = await build(t, { publish: true })
      await post(url, 'a', { 'idempotency-key': 'k' })
      return post(url, 'b', { 'idempotency-key': 'k' })
    },
    '429 TIDINGS_ERR_CLIENT_READERS': async () =>
      ask(`${(await build(t, { limits: { readersPerClient: 0 } })).url}/longpoll?cursor=now`),
    '429 TIDINGS_ERR_PUBLISHES': async () =>
      post((await build(t, { publish: true, limits: { publish: () => false } })).url, 'x'),
    '503 TIDINGS_ERR_READERS': async () =>
      ask(`${(await build(t, { maxReaders: 0 })).url}/longpoll?cursor=now`),
    '503 TIDINGS_ERR_KEYS_FULL': async () =>
      post((await build(t, { publish: true, retention: { keys: 0 } })).url, 'x', { 'idempotency-key': 'k' }),
    '503 TIDINGS_ERR_UNAVAILABLE': async () => {
      const bus = Object.assign(memoryBus(), { settle: () => Promise.reject(new ERR_UNAVAILABLE()) })
      return ask(`${(await build(t, { bus })).url}/poll?cursor=none.1`)
    },
    '503 TIDINGS_ERR_CLOSED': async () => {
      const { app, url } = await build(t, { publish: true })
      await app.tidings.bus.close()
      return post(url, 'x')
    },
  }
  const names = states.map(([status, code]) => `${status} ${code.replaceAll('`', '')}`)
  t.strictSame(names.sort(), Object.keys(cases).sort())
  for (const [name, make] of Object.entries(cases)) {
    const { status, json } = await make()
    const [, wanted, code] = /^(\d+) (\w+)/.exec(name)!
    t.equal(status, Number(wanted), name)
    if (code !== 'of') t.equal(json.code, code, name)
  }
})

t.test('headers', async (t) => {
  const { url } = await build(t)
  await go(t, '## Headers of every response', {
    '`Cache-Control: no-store`': async (t) => {
      t.equal((await ask(`${url}/poll`)).headers['cache-control'], 'no-store')
      const stream = await openStream(t, `${url}/sse`)
      t.equal(stream.response.headers.get('cache-control'), 'no-store, no-transform')
    },
    '`Access-Control-Expose-Headers`': async (t) => {
      const { headers } = await ask(`${url}/poll`, { headers: { origin: 'https://a.example' } })
      const row = (rowsOf(page, '## Headers of every response') as [string, string][]).find(([cell]) =>
        cell.includes('Expose'),
      )!
      const names = Array.from(row[1].split(':')[1]!.matchAll(/`([^`]+)`/g), ([, name]) => name)
      t.equal(headers['access-control-expose-headers'], names.join(', '))
    },
    '`Tidings-Ended: CHANNEL`': { file: 'test/routes/ends.test.ts', has: '/^Tidings-Ended, ' },
    '`X-Accel-Buffering: no`': async (t) => {
      const stream = await openStream(t, `${url}/sse`)
      t.equal(stream.response.headers.get('x-accel-buffering'), 'no')
    },
    '`Connection: close`': async (t) => {
      const { app, url } = await build(t)
      const held = ask(`${url}/longpoll?cursor=now`)
      await live(app, 1)
      const closed = app.close()
      t.match(await held, { status: 204, headers: { connection: 'close' } })
      await closed
    },
  })
})
