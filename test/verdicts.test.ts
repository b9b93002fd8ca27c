import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import type { TidingsOptions } from '../index.ts'
import { Revocations } from '../routes/http/revocation.ts'
import { build, type Frame, live, openSocket, openStream, SocketClient } from './helper.ts'
import { ask } from './request.ts'

async function start(t: Test, authorize: TidingsOptions['authorize']) {
  const lines: Frame[] = []
  const logger = { level: 'warn', stream: { write: (line: string) => lines.push(JSON.parse(line)) } }
  return { lines, ...(await build(t, { stats: true, authorize: authorize! }, { server: { logger } })) }
}

const PATHS = ['/poll', '/longpoll?cursor=now', '/sse', '/publish', '/stats'] as const
const methodOf = (path: string) => (path === '/publish' ? 'POST' : 'GET')

t.test('an error with a status of 4xx goes out as it is, with its headers', async (t) => {
  for (const [name, status] of [
    ['statusCode', 401],
    ['status', 404],
    ['statusCode', 429],
  ] as const) {
    const { lines, url } = await start(t, () => {
      throw Object.assign(new Error('who are you?'), {
        [name]: status,
        code: 'MINE',
        headers: { 'www-authenticate': 'Bearer' },
      })
    })
    for (const path of PATHS) {
      const answer = await ask(url + path, { method: methodOf(path) })
      t.equal(answer.status, status, path)
      t.equal(answer.headers['www-authenticate'], 'Bearer')
      t.match(answer.json, { code: 'MINE', message: 'who are you?' })
    }
    const socket = new SocketClient(`${url}/ws`)
    await t.rejects(socket.opened, { message: new RegExp(`${status}`) }, 'before the upgrade')
    t.strictSame(lines, [])
  }
})

t.test('what is no Error, or has no headers, is answered by its status all the same', async (t) => {
  for (const thrown of [
    { statusCode: 401, message: 'who are you?', code: 'MINE', headers: { 'www-authenticate': 'Bearer' } },
    runInNewContext("Object.assign(new Error('who are you?'), { statusCode: 401, code: 'MINE' })"),
    Object.assign(new Error('who are you?'), { statusCode: 401, code: 'MINE', headers: null }),
  ]) {
    const { lines, url } = await start(t, () => {
      throw thrown
    })
    for (const path of PATHS) {
      const answer = await ask(url + path, { method: methodOf(path) })
      t.equal(answer.status, 401, path)
      t.equal(answer.headers['www-authenticate'], thrown.headers?.['www-authenticate'])
      t.match(answer.json, { code: 'MINE', message: 'who are you?' })
    }
    t.strictSame(lines, [])
  }
  const { url } = await start(t, () => {
    throw { statusCode: 404 }
  })
  t.match(await ask(`${url}/poll`), { status: 404, json: { message: 'Not permitted' } })
})

t.test('a fault of the program is 500, and logged', async (t) => {
  for (const fault of [
    new TypeError('x is not a function'),
    Object.assign(new Error('x is not a function'), { statusCode: 503 }),
    Object.assign(new Error('x is not a function'), { statusCode: 'none' }),
    Object.assign(new Error('x is not a function'), { statusCode: 401.5 }),
    { statusCode: 503 },
    'x is not a function',
    undefined,
    null,
  ]) {
    const { lines, url } = await start(t, async () => {
      throw fault
    })
    for (const path of PATHS) {
      const answer = await ask(url + path, { method: methodOf(path) })
      t.equal(answer.status, 500, `${fault}: ${path}`)
      t.notMatch(answer.text, /not a function/, "its text is no client's business")
    }
    t.equal(lines.filter(({ level, err }) => level === 50 && err).length, PATHS.length)
    if (fault instanceof Error) t.match(lines[0].err.stack, /x is not a function/)
    await t.rejects(new SocketClient(`${url}/ws`).opened, { message: /500/ })
  }
})

t.test('in a frame it is an error frame', async (t) => {
  let error: Error | undefined
  const { lines, url } = await start(t, () => {
    if (error) throw error
    return true
  })
  const socket = await openSocket(t, `${url}/ws`)
  await socket.json()
  const raw = await openSocket(t, `${url}/ws?format=raw`)
  for (const [thrown, expected] of [
    [
      { statusCode: 401, code: 'MINE' },
      { code: 'MINE', message: 'no"' },
    ],
    [{ status: 418 }, { code: '418', message: 'no"' }],
    [
      { statusCode: 403, cause: 1 },
      { code: '403', message: 'no"' },
    ],
    [{}, { code: 'TIDINGS_ERR_INTERNAL', message: 'The server failed' }],
    [{ statusCode: 503 }, { code: 'TIDINGS_ERR_INTERNAL', message: 'The server failed' }],
  ] as const) {
    error = Object.assign(new Error('no"'), thrown)
    for (const frame of [
      { type: 'subscribe', channel: 'b' },
      { type: 'publish', data: 1 },
    ]) {
      socket.send({ ...frame, ref: 1 })
      t.match(await socket.json(), { type: 'error', ref: 1, ...expected })
    }
  }
  t.equal(lines.filter(({ level }) => level === 50).length, 4)
  error = Object.assign(new Error('é'.repeat(200)), { statusCode: 401 })
  raw.send('x')
  t.match(await raw.closed, { code: 1008 }, 'whatever it says')
})

t.test('what is no answer is 403, and said once', async (t) => {
  for (const verdict of [
    undefined,
    null,
    'yes',
    1,
    {},
    { until: Date.now() / 0 - Infinity },
    Object.create(null),
  ]) {
    const { lines, url } = await start(t, (() => verdict) as never)
    for (const path of PATHS) t.equal((await ask(url + path, { method: methodOf(path) })).status, 403)
    t.equal(lines.length, 1)
    t.match(lines[0], { level: 40, msg: /authorize returned an invalid value.*must return true/ })
  }
  const { lines, url } = await start(t, () => false)
  t.equal((await ask(`${url}/poll`)).status, 403)
  t.strictSame(lines, [], 'a refusal is no mistake')
})

t.test('a deadline ends its readers', async (t) => {
  for (const make of [
    (at: number) => ({ until: at }),
    (at: number) => ({ until: new Date(at), publisher: 'a' }),
    (at: number) => ({ until: at, signal: new AbortController().signal }),
  ]) {
    const { app, url } = await start(t, () => make(end))
    const end = Date.now() + 1500
    const socket = await openSocket(t, `${url}/ws`)
    const stream = await openStream(t, `${url}/sse`)
    const held = ask(`${url}/longpoll?cursor=now`)
    await live(app, 3)
    t.match(await held, { status: 403 })
    t.match(await socket.closed, { code: 1008, reason: 'permission ran out' })
    await stream.ended
    t.equal((await ask(`${url}/poll`)).status, 403, 'it is past')
    t.equal(app.tidings.bus.log.groups.watching, 0)
  }
})

t.test('deadlines share a timer, and one beyond 31 bits is waited for', async (t) => {
  const set: number[] = []
  const { setTimeout: real } = globalThis
  const timers: (() => void)[] = []
  let cleared = 0
  const { clearTimeout: realClear } = globalThis
  globalThis.setTimeout = ((call: () => void, wait: number) => {
    set.push(wait)
    timers.push(call)
    return { unref: () => timers.length }
  }) as never
  globalThis.clearTimeout = (() => cleared++) as never
  t.teardown(() => Object.assign(globalThis, { setTimeout: real, clearTimeout: realClear }))
  const permits = new Revocations()
  let calls = 0
  const until = Date.now() + 60 * 86_400_000
  const ends = Array.from({ length: 1000 }, () => permits.add({ until }, () => calls++))
  t.strictSame(set, [0x7fff_ffff], 'one timer, as long as it may be')
  for (const timer of timers.splice(0)) timer()
  t.equal(set.length, 2, 'and another one')
  t.equal(calls, 0)
  for (const end of ends) end()
  for (const end of ends) end()
  t.equal(cleared, 1)
  permits.add({ until: Date.now() + 1000 }, () => calls++)
  t.ok(set.at(-1)! <= 1000)
  timers.at(-1)!()
  t.equal(calls, 1)
})
