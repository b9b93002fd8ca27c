import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { build as chat } from '../../examples/chat/server.ts'
import { build as llmStream } from '../../examples/llm-stream/server.ts'
import { build as progress } from '../../examples/progress/server.ts'
import { once, open, range, Taken } from '../client/helper.ts'
import { listen, openStream, post } from '../helper.ts'
import { FaultProxy } from '../proxy.ts'
import { ask } from '../request.ts'

async function start(t: Test, app: FastifyInstance) {
  t.teardown(() => {
    app.server.closeAllConnections()
    return app.close()
  })
  const { url, port } = await listen(app)
  t.match(await ask(`${url}/`), { status: 200, text: /new EventSource/ })
  return { url, port }
}

const JSON_TYPE = { 'content-type': 'application/json' }

t.test('llm-stream: a reload, a cut and another transport, and no token is lost', async (t) => {
  const steps: (() => void)[] = []
  const step = () => new Promise<void>((resolve) => steps.push(resolve))
  async function* model(prompt: string) {
    for (const i of range(1, 60)) {
      if (i % 20 === 0) await step()
      yield `${prompt}${i} `
    }
  }
  const app = await llmStream(model)
  const { port, url } = await start(t, app)
  const proxy = await FaultProxy.start(t, port)
  t.equal((await post(`${url}/answers`, '{}', JSON_TYPE)).status, 400)
  const { status, body } = await post(`${url}/answers`, '{"prompt":"t"}', JSON_TYPE)
  t.equal(status, 202)
  const channels = [`answer:${body.id}`]
  const options = { channels, cursor: 'earliest', probe: 500 }
  const first = open<string>(t, `${proxy.url}/live`, { ...options, transports: ['sse'] })
  const taken = new Taken(first)
  await taken.until(19)
  steps.shift()!()
  await taken.until(30)
  proxy.cut()
  await taken.until(39)
  t.equal(await first.switchTo('sse'), true)
  // The page is loaded again, on another network.
  const again = new Taken(open<string>(t, `${url}/live`, { ...options, transports: ['ws'] }))
  await again.until(39)
  steps.shift()!()
  await Promise.all([taken.until(59), again.until(59)])
  const ended = [first, again.feed].map((feed) => once(feed, 'end'))
  const closed = [first, again.feed].map((feed) => once(feed, 'close'))
  steps.shift()!()
  for (const { data } of await Promise.all(ended)) t.same(data, { tokens: 60 })
  await Promise.all(closed)
  const all = range(1, 60).map((i) => `t${i} `)
  t.same(taken.data, all)
  t.same(again.data, all)
  t.same([...taken.gaps, ...again.gaps], [])
  // As the page does that comes when all is over.
  const stream = await openStream(t, `${url}/live/sse?channel=${channels[0]}&cursor=earliest`)
  await stream.ended
  t.match(stream.rest.at(-2), { event: 'end', data: /"tokens":60/ })
  t.equal(stream.rest.length, 63)
})

t.test('llm-stream: a model that fails ends the answer', async (t) => {
  const app = await llmStream(async function* () {
    yield 'one'
    throw new Error('no')
  })
  const { url } = await start(t, app)
  const { body } = await post(`${url}/answers`, '{"prompt":""}', JSON_TYPE)
  const feed = open<string>(t, `${url}/live`, { channels: [`answer:${body.id}`], cursor: 'earliest' })
  const ended = once(feed, 'end')
  const tokens: string[] = []
  for await (const { data } of feed) tokens.push(data)
  t.same(tokens, ['one'])
  t.same((await ended).data, { tokens: 1, error: 'The model failed' })
})

t.test('progress: who comes late has the present state, then the result', async (t) => {
  let go = () => {}
  const app = await progress((part) =>
    part === 10
      ? new Promise((resolve) => {
          go = resolve
        })
      : Promise.resolve(),
  )
  const { url } = await start(t, app)
  const { body } = await post(`${url}/jobs`, '')
  const channel = `job:${body.id}`
  const feed = open<{ done: number }>(t, `${url}/live`, { channels: [channel], cursor: 'last:1' })
  const taken = new Taken(feed)
  await taken.until(1)
  t.match(taken.data[0], { done: 10, of: 20 })
  const ended = once(feed, 'end')
  go()
  t.match((await ended).data, { result: /^of / })
  const page = await ask(`${url}/live/poll?channel=${channel}&cursor=last:1`)
  t.match(page.json, { messages: [{ data: { result: String }, end: true }], ended: [channel] })
})

t.test('chat: a room, its last fifty, and nothing else', async (t) => {
  const { url } = await start(t, await chat())
  const say = (text: string, key: string) =>
    post(`${url}/live/publish?channel=room`, JSON.stringify({ name: 'ada', text }), {
      ...JSON_TYPE,
      'idempotency-key': key,
    })
  for (const i of range(1, 60)) t.equal((await say(`${i}`, `k${i}`)).status, 201)
  t.equal((await say('60', 'k60')).status, 200)
  const taken = new Taken(open<{ text: string }>(t, `${url}/live`, { channels: ['room'], cursor: 'last:50' }))
  await taken.until(50)
  await say('hello', 'k61')
  await taken.until(51)
  t.same(
    taken.data.map(({ text }) => text),
    [...range(11, 60).map(String), 'hello'],
  )
  t.equal((await post(`${url}/live/publish?channel=other`, 'x')).status, 403)
  t.equal((await ask(`${url}/live/poll?channel=other`)).status, 403)
})
