import type { Test } from 'tap'
import { openBrowser } from '../browser.ts'
import { openFirefox, type PlainPage } from '../firefox.ts'
import { type SocketClient, until } from '../helper.ts'
import { needs } from '../needs.ts'
import type { Front } from './front.ts'
import type { Kind } from './kind.ts'
import { Stage } from './stage.ts'

/** What has to come through every proxy, as the documentation configures it. */
type Scenario = (t: Test, stage: Stage, kind: Kind) => Promise<void>

const cursorOf = (stage: Stage) => stage.app.tidings.bus.log.nothing.cursor

const SCENARIOS: Record<string, Scenario> = {
  async 'a publish, and its repetition'(t, stage) {
    const asked = { method: 'POST', body: 'paid', headers: { 'idempotency-key': 'order-1' } }
    const first = await stage.ask('/publish', asked)
    t.equal(first.status, 201)
    t.match(first.json, { cursor: cursorOf(stage), channel: 'default' })
    const second = await stage.ask('/publish', asked)
    t.equal(second.status, 200)
    t.equal(second.text, first.text)
    t.equal((await stage.ask('/publish', { ...asked, body: 'more' })).status, 422)
    t.equal((await stage.ask('/publish', { method: 'POST', body: 'x'.repeat(70_000) })).status, 413)
  },

  async 'polls, with all that their headers say'(t, stage, { name }) {
    const { text } = await stage.publish('first')
    const { cursor } = JSON.parse(text)
    const before = await stage.ask('/poll?cursor=earliest')
    t.equal(before.status, 200)
    t.match(before.json, { cursor, messages: Array, more: false })
    const none = await stage.ask(`/poll?cursor=${cursor}`)
    t.equal(none.status, 204)
    t.equal(none.text, '')
    const same = await stage.ask('/poll', { headers: { 'if-none-match': `W/"${cursor}"` } })
    t.equal(same.status, 304)
    for (const { headers, status } of [none, same]) {
      t.equal(headers.etag, `W/"${cursor}"`)
      // Apache takes all headers off a 304 that RFC 2616 did not name for it; the tag is the cursor, too.
      if (name !== 'Apache' || status !== 304) t.equal(headers['tidings-cursor'], cursor)
    }
    await stage.publish('second')
    const news = await stage.ask('/poll', { headers: { 'if-none-match': `W/"${cursor}"` } })
    t.equal(news.status, 200)
    t.match(news.json, { messages: [{ data: 'second' }] })
    const gap = await stage.ask('/poll?cursor=elsewhere.1')
    t.equal(gap.status, 410)
    t.equal(gap.headers['tidings-gap'], 'epoch')
    t.equal(gap.headers['tidings-cursor'], gap.json.cursor)
    t.equal(gap.json.code, 'TIDINGS_ERR_GAP')
    const raw = await stage.ask('/poll?cursor=earliest&format=raw')
    t.equal(raw.headers['x-content-type-options'], 'nosniff')
    t.equal(raw.headers['content-security-policy'], 'sandbox')
    t.ok(raw.headers['tidings-cursor'])
    const wrong = await stage.ask('/poll?cursor=nonsense')
    t.equal(wrong.status, 400)
    for (const { headers } of [before, none, same, news, gap, raw, wrong]) {
      t.equal(headers['cache-control'], 'no-store')
    }
  },

  async 'long polls with one address are held apart, and answered with a message'(t, stage) {
    const { cursor } = (await stage.ask('/longpoll')).json
    const polls = Array.from({ length: 5 }, () => stage.ask(`/longpoll?cursor=${cursor}`))
    await until(() => stage.readers === 5)
    await stage.publish('news')
    for (const { status, json } of await Promise.all(polls)) {
      t.equal(status, 200)
      t.match(json, { messages: [{ data: 'news' }] })
    }
  },

  async 'a long poll is held for its whole wait'(t, stage) {
    const began = performance.now()
    const answer = await stage.ask('/longpoll?cursor=now', { headers: { prefer: 'wait=2' } })
    t.equal(answer.status, 204)
    t.ok(performance.now() - began >= 1900)
    t.equal(answer.headers['preference-applied'], 'wait=2')
    t.equal(answer.headers['tidings-cursor'], cursorOf(stage))
  },

  async 'a stream: each part as it is sent'(t, stage) {
    const stream = await stage.stream(t, '/sse?cursor=now', { 'accept-encoding': 'gzip, br' })
    const { statusCode, headers } = stream.response
    t.equal(statusCode, 200)
    t.match(headers['content-type'], /^text\/event-stream/)
    t.match(headers['cache-control'], /^no-store/)
    t.equal(headers['content-encoding'], undefined)
    // None is published before the one before has come: a proxy that waits for more would stop here.
    await stream.holds('event: ready')
    for (const data of ['one', 'two', 'three']) {
      await stage.publish(data)
      t.match(await stream.holds(`"data":"${data}"}\n`), data)
    }
    const seen = stream.text.length
    t.match(await stream.until((text) => /^:/m.test(text.slice(seen))), /^:/m, 'a heartbeat')
    stream.leave()
    const [, id] = /id: (\S+)(?![\s\S]*id: )/.exec(stream.text)!
    await stage.publish('four')
    const next = await stage.stream(t, '/sse?cursor=now', { 'last-event-id': id! })
    const text = await next.holds('"data":"four"')
    t.notMatch(text, '"data":"three"')
    const lost = await stage.stream(t, '/sse', { 'last-event-id': 'elsewhere.1' })
    t.match(await lost.holds('event: gap'), /"reason":"epoch"/)
  },

  async 'a socket: frames both ways'(t, stage) {
    const socket = await stage.socket(t, '/ws?channel=a')
    t.match(await socket.json(), { type: 'ready', cursor: cursorOf(stage) })
    socket.send({ type: 'subscribe', channel: 'b', ref: 1 })
    t.match(await socket.json(), { type: 'subscribed', channel: 'b', ref: 1 })
    socket.send({ type: 'publish', channel: 'b', data: 'x'.repeat(60_000), ref: 2 })
    const frames = [await socket.json(), await socket.json()]
    t.ok(frames.some(({ type, ref }) => type === 'published' && ref === 2))
    t.ok(frames.some(({ data }) => data?.length === 60_000))
    socket.ws.ping('are you there')
    await new Promise((resolve) => socket.ws.once('pong', resolve))
    socket.ws.close(1000)
    t.equal((await socket.closed).code, 1000)
    t.equal((await closeOf(await stage.socket(t, '/ws'), Buffer.of(1))).code, 1003)
    const plain = await stage.ask('/ws')
    t.equal(plain.status, 426)
  },

  async 'a browser is let in from our own page, and from no other'(t, stage, { trustProxy }) {
    const { url } = stage.front
    const at = async (headers: Record<string, string>) => [
      (await stage.ask('/publish', { method: 'POST', body: 'x', headers })).status,
      await stage.socket(t, '/ws', headers).then(
        () => 101,
        (error: Error) => Number(/\d{3}$/.exec(error.message)?.[0]),
      ),
    ]
    t.strictSame(await at({ origin: url }), [201, 101])
    t.strictSame(await at({ origin: 'http://evil.example' }), [403, 403])
    t.strictSame(await at({ origin: 'null' }), [403, 403])
    const spoofed = { origin: 'http://evil.example', 'x-forwarded-host': 'evil.example' }
    t.strictSame(await at(spoofed), [403, 403], 'a host that the client says')
    if (trustProxy) t.equal((await stage.ask('/address')).text, '127.0.0.1')
  },

  async 'clients that leave in the middle are not held'(t, stage) {
    const poll = new AbortController()
    const asked = stage.ask('/longpoll?cursor=now&wait=3', { signal: poll.signal })
    const stream = await stage.stream(t, '/sse')
    await stream.holds('event: ready')
    const socket = await stage.socket(t, '/ws')
    await until(() => stage.readers === 3)
    poll.abort()
    await t.rejects(asked)
    stream.leave()
    socket.ws.terminate()
    await until(() => stage.readers === 0)
    t.pass()
  },

  async 'a client that is too slow learns it by the code'(t, stage) {
    // Too early it is not ended yet, too late the socket is destroyed: it reads on later and later.
    for (let pause = 100, code = 0; code !== 4008; pause += 50) {
      t.ok(pause < 3000)
      const { cursor } = (await stage.ask('/poll')).json
      const socket = await stage.socket(t, `/ws?cursor=${cursor}`)
      await socket.json()
      socket.ws.pause()
      while (stage.readers > 0) {
        await stage.app.tidings.publish('default', 'x'.repeat(60_000))
        await new Promise(setImmediate)
      }
      await new Promise((resolve) => setTimeout(resolve, pause))
      socket.ws.resume()
      const timer = setTimeout(() => socket.ws.close(), 1000)
      code = (await socket.closed).code
      clearTimeout(timer)
    }
  },

  async 'the app goes and comes back'(t, stage, { retries, http }) {
    const socket = await stage.socket(t, '/ws')
    await socket.json()
    const stream = await stage.stream(t, '/sse')
    await stream.holds('event: ready')
    const poll = stage.ask('/longpoll?cursor=now')
    await until(() => stage.readers === 3)
    await stage.stop()
    t.equal((await socket.closed).code, 1001)
    t.match(await stream.until(() => false), /\nretry: \d+\n$/)
    t.equal((await poll).status, 204)

    if (retries) {
      const stream = await stage.stream(t, '/sse?channel=a')
      t.equal(stream.response.statusCode, 200)
      t.match(stream.response.headers['content-type'], /^text\/event-stream/)
      t.match(stream.response.headers['cache-control'], /^no-store/)
      t.match(await stream.until(() => false), /^retry: 5000\r?\n$/)
    }
    if (http) t.match((await stage.ask('/poll')).status, /^50[234]$/)
    else await t.rejects(stage.ask('/poll'))

    await stage.start()
    // Some have to find out that it is back.
    for (;;) {
      const answer = await stage.ask('/poll').catch(() => undefined)
      if (answer?.status === 200) break
      await new Promise(setImmediate)
    }
    const back = await stage.stream(t, '/sse')
    t.match(await back.holds('event: ready'), 'event: ready')
  },
}

/** Sends it, and waits for the end. */
async function closeOf(socket: SocketClient, frame: Buffer): Promise<{ code: number }> {
  socket.send(frame)
  return socket.closed
}

/** A page that follows the stream by a native EventSource. */
const FOLLOW = `(() => {
  const source = new EventSource('/sse?cursor=earliest')
  const shown = { source, data: [], errors: 0 }
  source.onmessage = ({ data }) => shown.data.push(JSON.parse(data).data)
  source.onerror = () => shown.errors++
  globalThis.shown = shown
})()`
const CLOSED = 2

async function nativeStream(t: Test, stage: Stage, kind: Kind, page: PlainPage): Promise<void> {
  const shows = async (expression: string) => {
    while (!(await page.evaluate(expression))) await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await page.goto(stage.front.url)
  await page.evaluate(FOLLOW)
  await stage.app.tidings.publish('default', 'before')
  await shows('shown.data.length === 1')
  await stage.stop()
  // The end of the stream, and what the proxy says without the app.
  await shows(`shown.errors >= 2 || shown.source.readyState === ${CLOSED}`)
  await stage.start()
  await stage.app.tidings.publish('default', 'after')
  if (kind.retries || !kind.http) {
    await shows('shown.data.length === 2')
    t.strictSame(await page.evaluate('shown.data'), ['before', 'after'])
  } else t.equal(await page.evaluate('shown.source.readyState'), CLOSED, 'as documented, it ends for good')
}

/** Chromium, so that it asks the proxy also for what is on this machine. */
async function openChromium(t: Test, { proxy }: Front): Promise<PlainPage | undefined> {
  const browser = await openBrowser(t)
  const context = await browser?.newContext({
    ignoreHTTPSErrors: true,
    ...(proxy && { proxy: { server: `http://${proxy}`, bypass: '<-loopback>' } }),
  })
  return context?.newPage()
}

const BROWSERS: Record<string, (t: Test, front: Front) => Promise<PlainPage | undefined>> = {
  Chromium: openChromium,
  Firefox: (t, { proxy }) => openFirefox(t, { httpProxy: proxy, acceptInsecureCerts: true }),
}

/** All scenarios through one proxy. */
export function proxySuite(t: Test, kind: Kind): void {
  const options = {
    publish: true,
    heartbeat: { sse: 300 },
    slowConsumer: { timeout: 100 },
    retention: { bytes: 2 ** 29 },
  }
  t.test(kind.name, async (t) => {
    if (needs(t, kind.program) === undefined) return
    // They wait more than they work.
    t.jobs = 4
    for (const [name, scenario] of Object.entries(SCENARIOS)) {
      t.test(name, { buffered: true }, async (t) =>
        scenario(t, await Stage.set(t, kind, kind.documented, options), kind),
      )
    }
    for (const [name, open] of Object.entries(BROWSERS)) {
      t.test(`a native EventSource of ${name}, while the app restarts`, { buffered: true }, async (t) => {
        const stage = await Stage.set(t, kind, kind.documented, options)
        const page = await open(t, stage.front)
        if (page) await nativeStream(t, stage, kind, page)
      })
    }
  })
}
