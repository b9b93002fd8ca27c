import t from 'tap'
import { build } from '../helper.ts'
import { ask } from '../request.ts'

t.test('a page is what a poll gets', async (t) => {
  const { app, url } = await build(t, { retention: { messages: 5 } })
  const { tidings } = app
  t.equal(tidings.cursor(), tidings.bus.log.cursor(0))
  for (let i = 0; i < 7; i++) await tidings.publish('a', i)
  await tidings.publish('b', 'text')
  const message = await tidings.publish('b', Uint8Array.of(1, 2))
  t.equal(tidings.cursor(), message.cursor)
  await tidings.end('a', { last: true })
  await tidings.end('b')
  for (const [channels, options] of [
    [['a'], {}],
    [['a', 'b'], { limit: 2 }],
    [['b', 'a'], { cursor: 'last:1' }],
    [['b', 'a'], { cursor: 'last:1', limit: 1 }],
    [['a', 'b'], { cursor: 'since:0', limit: 1000 }],
    [['b'], { cursor: message.cursor }],
    [['b'], { cursor: 'now' }],
    [['none'], {}],
  ] as const) {
    const { cursor = 'earliest', limit = 100 } = options as { cursor?: string; limit?: number }
    const query = channels.map((name) => `channel=${name}`).join('&')
    const page = await tidings.read(channels, options)
    const { status, json } = await ask(`${url}/poll?${query}&cursor=${cursor}&limit=${limit}`).then(
      (answer) =>
        answer.status === 204
          ? { status: 204, json: { cursor: answer.headers['tidings-cursor'], messages: [], more: false } }
          : answer,
    )
    const messages = page.messages.map(({ data, ...rest }) =>
      Buffer.isBuffer(data)
        ? { ...rest, data: data.toString('base64'), encoding: 'base64' }
        : { ...rest, data },
    )
    t.same({ ...page, messages }, { ended: [], ...json }, `${query} ${cursor} ${status}`)
  }
  t.same((await tidings.read('b', { cursor: 'last:1' })).messages[0]?.data, Buffer.of(1, 2))
})

t.test('what can not be read', async (t) => {
  const { app } = await build(t, { retention: { messages: 1 } })
  const { tidings } = app
  const first = await tidings.publish('a', 1)
  await tidings.publish('a', 2)
  await tidings.publish('a', 3)
  await t.rejects(tidings.read('a', { cursor: first.cursor }), {
    code: 'TIDINGS_ERR_GAP',
    reason: 'trimmed',
    cursor: tidings.bus.log.cursor(2),
  } as never)
  await t.rejects(tidings.read('a', { cursor: 'last:0' }), { code: 'TIDINGS_ERR_CURSOR' } as never)
  await t.rejects(tidings.read('no name'), { code: 'TIDINGS_ERR_CHANNEL' } as never)
  for (const limit of [0, 1001, 1.5, Number.NaN])
    await t.rejects(tidings.read('a', { limit }), { code: 'TIDINGS_ERR_LIMIT' } as never)
})
