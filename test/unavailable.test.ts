import { request } from 'node:http'
import t, { type Test } from 'tap'
import type { Bus } from '../bus/bus.ts'
import type { Start } from '../bus/cursor.ts'
import { ERR_UNAVAILABLE } from '../bus/errors.ts'
import { memoryBus } from '../bus/memory.ts'
import { textPayload } from '../bus/payload.ts'
import { build, openSocket, openStream, SocketClient, until } from './helper.ts'
import { ask } from './request.ts'

/** A bus whose log comes to know a cursor of the epoch `later` when the test says so. */
class LateBus implements Bus {
  readonly #bus = memoryBus()
  readonly waiting: { resolve(): void; reject(error: Error): void }[] = []
  /** Cursors of the last epoch are no longer waited for. */
  known = false
  connected = true

  get log() {
    return this.#bus.log
  }

  settle(start: Start): Promise<void> | undefined {
    if (this.known || typeof start === 'string' || !('epoch' in start) || start.epoch !== 'later')
      return undefined
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }))
  }

  publish(...args: Parameters<Bus['publish']>) {
    return this.connected ? this.#bus.publish(...args) : Promise.reject(new ERR_UNAVAILABLE())
  }

  close() {
    return this.#bus.close()
  }

  /** Once as many wait, the log has come so far. */
  async come(count: number): Promise<void> {
    await until(() => this.waiting.length === count)
    this.#bus.log.turn(0, 'later')
    for (const text of ['1', '2', '3']) await this.publish('c', textPayload(text))
    this.known = true
    for (const { resolve } of this.waiting.splice(0)) resolve()
  }

  async fail(count: number): Promise<void> {
    await until(() => this.waiting.length === count)
    for (const { reject } of this.waiting.splice(0)) reject(new ERR_UNAVAILABLE())
  }
}

async function start(t: Test) {
  const bus = new LateBus()
  return { bus, ...(await build(t, { bus, publish: true, stats: true })) }
}

const AT = 'channel=c&cursor=later.2'

t.test('a cursor that the log does not know yet is waited for, on every way to read', async (t) => {
  const { app, bus, url } = await start(t)
  const poll = ask(`${url}/poll?${AT}`)
  const longpoll = ask(`${url}/longpoll?${AT}`)
  const stream = openStream(t, `${url}/sse?channel=c`, { 'last-event-id': 'later.2' })
  const socket = openSocket(t, `${url}/ws?${AT}`)
  const other = await openSocket(t, `${url}/ws?channel=other`)
  await other.json()
  other.send({ type: 'subscribe', channel: 'c', cursor: 'later.2', ref: 1 })
  const loop = app.tidings.subscribe<string>('c', { cursor: 'later.2' }).next()
  const page = app.tidings.read<string>('c', { cursor: 'later.2' })
  await bus.come(7)
  for (const { status, json } of [await poll, await longpoll]) {
    t.match({ status, ...json }, { status: 200, messages: [{ cursor: 'later.3', data: '3' }] })
  }
  t.match(await (await stream).next(), { event: 'ready', id: 'later.2' })
  t.match(await (await stream).next(), { id: 'later.3' })
  t.match(await (await socket).json(), { type: 'ready', cursor: 'later.2' })
  t.match(await (await socket).json(), { cursor: 'later.3' })
  t.match(await other.json(), { cursor: 'later.3' })
  t.match(await other.json(), { type: 'subscribed', ref: 1 })
  t.match((await loop).value, { cursor: 'later.3' })
  t.match(await page, { messages: [{ cursor: 'later.3' }] })
})

t.test('where that takes too long the answer says when to try again', async (t) => {
  const { app, bus, url } = await start(t)
  const poll = ask(`${url}/poll?${AT}`)
  const longpoll = ask(`${url}/longpoll?${AT}`)
  const stream = fetch(`${url}/sse?${AT}`, { headers: { origin: url } })
  const socket = new SocketClient(`${url}/ws?${AT}`)
  const other = await openSocket(t, `${url}/ws?channel=other`)
  await other.json()
  other.send({ type: 'subscribe', channel: 'c', cursor: 'later.2', ref: 1 })
  const loop = app.tidings.subscribe('c', { cursor: 'later.2' }).next()
  const page = app.tidings.read('c', { cursor: 'later.2' })
  const refused = { code: 'TIDINGS_ERR_UNAVAILABLE' } as never
  const both = Promise.all([t.rejects(loop, refused), t.rejects(page, refused)])
  await bus.fail(7)
  for (const { status, json, headers } of [await poll, await longpoll]) {
    t.match({ status, ...json }, { status: 503, code: 'TIDINGS_ERR_UNAVAILABLE' })
    t.ok(Number(headers['retry-after']) >= 5)
    t.equal(headers['cache-control'], 'no-store')
  }
  const ended = await stream
  t.match([ended.status, ended.headers.get('tidings-refused')], [200, 'unavailable'])
  t.match(await ended.text(), /^retry: \d+\n$/)
  await t.rejects(socket.opened, { message: /503/ })
  t.match(await other.json(), { type: 'error', ref: 1, code: 'TIDINGS_ERR_UNAVAILABLE' })
  other.send({ type: 'ping' })
  t.match(await other.json(), { type: 'pong' }, 'and goes on')
  await both
  t.equal(app.tidings.bus.log.groups.watching, 1)
})

t.test('a publish that may be in the log or not', async (t) => {
  const { bus, url } = await start(t)
  const socket = await openSocket(t, `${url}/ws`)
  await socket.json()
  bus.connected = false
  const { status, json, headers } = await ask(`${url}/publish`, { method: 'POST', body: 'x' })
  t.match({ status, ...json }, { status: 503, code: 'TIDINGS_ERR_UNAVAILABLE' })
  t.ok(Number(headers['retry-after']) >= 5)
  socket.send({ type: 'publish', data: 'x', ref: 2 })
  t.match(await socket.json(), { type: 'error', ref: 2, code: 'TIDINGS_ERR_UNAVAILABLE' })
  t.match((await ask(`${url}/stats`)).json, { bus: { connected: false } })
})

t.test('whoever leaves meanwhile is forgotten, and a close waits for nobody', async (t) => {
  const { app, bus, url } = await start(t)
  const gone = request(`${url}/longpoll?${AT}`)
  gone.on('error', () => {})
  gone.end()
  await until(() => bus.waiting.length === 1)
  gone.destroy()
  const poll = ask(`${url}/poll?${AT}`)
  const stream = fetch(`${url}/sse?${AT}`)
  await until(() => bus.waiting.length === 3)
  await app.close()
  t.match(await poll, { status: 503, json: { code: 'TIDINGS_ERR_CLOSED' } })
  t.equal((await stream).headers.get('tidings-refused'), 'unavailable')
  bus.known = true
  for (const { resolve } of bus.waiting.splice(0)) resolve()
})
