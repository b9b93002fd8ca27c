import t, { type Test } from 'tap'
import { redisBus } from '../../bus/redis.ts'
import { type Built, build, openSocket, openStream, post, until } from '../helper.ts'
import { ask } from '../request.ts'
import { NO_FILE, needsRedis, RedisServer } from './server.ts'

/*
 * What one instance of a log does to a channel, and what the others make of it.
 */

const TRANSPORTS = ['poll', 'longpoll', 'sse', 'ws'] as const

interface Instances {
  readonly all: readonly Built[]
  /** One more instance, which loads what is kept. */
  enter(): Promise<Built>
  /** Resolves once all have what each of them has. */
  same(): Promise<void>
}

let prefixes = 0

async function instances(t: Test, url: string, retention = {}): Promise<Instances> {
  const prefix = `features${++prefixes}`
  const all: Built[] = []
  const enter = async () => {
    all.push(await build(t, { bus: redisBus({ url, prefix, retention }), publish: true, stats: true }))
    return all.at(-1)!
  }
  await enter()
  await enter()
  const heads = () => all.map(({ app }) => app.tidings.bus.log.head)
  return { all, enter, same: () => until(() => new Set(heads()).size === 1) }
}

/** What a client of a transport gets of a channel, up to a message or an end that says so. */
async function read(t: Test, url: string, transport: string, query: string, count: number) {
  const got: unknown[] = []
  if (transport === 'sse') {
    const stream = await openStream(t, `${url}/sse?${query}`)
    await stream.next()
    while (got.length < count) {
      const { event = 'message', data } = await stream.next()
      const { data: text, reason } = JSON.parse(data!)
      got.push(event === 'message' ? text : (reason ?? [event, text]))
    }
    stream.close()
  } else if (transport === 'ws') {
    const socket = await openSocket(t, `${url}/ws?${query}`)
    await socket.json()
    while (got.length < count) {
      const { type, data, reason } = await socket.json()
      got.push(type === undefined ? data : (reason ?? [type, data]))
    }
    socket.ws.terminate()
  } else {
    const { status, json } = await ask(`${url}/${transport}?${query}&wait=0`)
    if (status === 410) return [json.reason]
    for (const { data, end } of json.messages ?? []) got.push(end ? ['end', data] : data)
    if (got.length < count && json.ended) got.push(['end', undefined])
  }
  return got
}

if (needsRedis(t)) {
  const { url } = await RedisServer.start(t, NO_FILE)

  t.test('a channel that ended at one instance is refused at the other, at once', async (t) => {
    const { all, same } = await instances(t, url)
    const [a, b] = all as [Built, Built]
    const socket = await openSocket(t, `${b.url}/ws?channel=`)
    await socket.json()
    for (let i = 0; i < 10; i++) {
      const channel = `c${i}`
      await a.app.tidings.end(channel, i)
      // The other instance may not have the end yet.
      for (const query of ['', '&end']) {
        const { status, body } = await post(`${b.url}/publish?channel=${channel}${query}`, 'x')
        t.match([status, body], [409, { code: 'TIDINGS_ERR_ENDED' }], channel + query)
      }
      socket.send({ type: 'publish', channel, data: 'x', ref: i })
      t.match(await socket.json(), { type: 'error', ref: i, code: 'TIDINGS_ERR_ENDED' })
      await t.rejects(b.app.tidings.end(channel), { code: 'TIDINGS_ERR_ENDED' } as never)
      await b.app.tidings.reopen(channel)
      t.equal((await post(`${a.url}/publish?channel=${channel}`, 'y')).status, 201)
    }
    await same()
    t.strictSame(await read(t, b.url, 'poll', 'channel=c3&cursor=earliest', 2), [3, 'y'])
  })

  t.test('an end with a key, twice, at two instances', async (t) => {
    const { all, same } = await instances(t, url)
    const headers = { 'content-type': 'text/plain', 'idempotency-key': 'k' }
    const answers = await Promise.all(
      all.flatMap(({ url }) => [1, 2].map(() => post(`${url}/publish?channel=a&end`, 'x', headers))),
    )
    t.strictSame(answers.map(({ status }) => status).sort(), [200, 200, 200, 201])
    t.equal(new Set(answers.map(({ body }) => JSON.stringify(body))).size, 1)
    for (const { url } of all) {
      t.equal((await post(`${url}/publish?channel=a&end`, 'y', headers)).status, 422, 'another payload')
      t.equal((await post(`${url}/publish?channel=a`, 'x', headers)).status, 422, 'it was an end')
      const other = { ...headers, 'idempotency-key': 'l' }
      t.equal((await post(`${url}/publish?channel=a&end`, 'x', other)).status, 409, 'another key')
    }
    await same()
    for (const { app } of all) t.equal(app.tidings.bus.log.head, 1)
  })

  t.test(
    'ends, reopenings and publishes race at two instances: one order, in which each is right',
    async (t) => {
      const { all, enter, same } = await instances(t, url)
      type What = 'publish' | 'end' | 'reopen' | 'delete'
      const done: { seq: number; what: What }[] = []
      const refused: What[] = []
      const seqOf = ({ cursor }: { cursor: string }) => Number(cursor.split('.')[1])
      for (let round = 0; round < 60; round++) {
        const work = all.flatMap(({ app: { tidings } }, i) => {
          const tasks: [What, () => Promise<{ cursor: string } | undefined>][] = [
            ['publish', () => tidings.publish('c', `${round} ${i}`)],
            ['end', () => tidings.end('c', `${round} ${i} end`)],
            round % 7 === 6 && i === 0
              ? ['delete', () => tidings.delete('c').then(() => undefined)]
              : ['reopen', () => tidings.reopen('c').then(() => undefined)],
            ['publish', () => tidings.publish('c', `${round} ${i} again`)],
          ]
          // In each round another order, at each instance.
          const from = (round * (i + 1)) % tasks.length
          return [...tasks.slice(from), ...tasks.slice(0, from)]
        })
        await Promise.all(
          work.map(async ([what, run], i) => {
            // In one batch of each instance, or in several, with those of the other between them.
            for (let turns = round % 2 === 0 ? 0 : i * 2; turns > 0; turns--) await new Promise(setImmediate)
            try {
              const message = await run()
              if (message !== undefined) done.push({ seq: seqOf(message), what })
            } catch (error) {
              t.match(error, { code: 'TIDINGS_ERR_ENDED' })
              refused.push(what)
            }
          }),
        )
      }
      await same()
      const places = new Map(done.map(({ seq, what }) => [seq, what]))
      t.equal(places.size, done.length, 'no place was given twice')
      const { head } = all[0]!.app.tidings.bus.log
      // A place that nobody was told of is a reopening or a deletion.
      let isOver = false
      for (let seq = 1; seq <= head; seq++) {
        const what = places.get(seq)
        if (what === undefined) isOver = false
        else {
          if (isOver) t.fail(`${what} ${seq} stands behind an end`)
          isOver = what === 'end'
        }
      }
      t.ok(refused.length > 0 && !refused.includes('reopen'), `${refused.length} were refused`)
      await enter()
      await same()
      const states = all.map(({ app }) => {
        const { log } = app.tidings.bus
        return [
          log.endOf('c')?.seq,
          log.floor(['c']),
          log
            .read(['c'], log.floor(['c']), { limit: 1e6, bytes: 1e9 })
            .entries.map(({ envelope }) => envelope),
        ]
      })
      t.equal(states[0]![0] !== undefined, isOver)
      t.strictSame(states[1], states[0])
      t.strictSame(states[2], states[0], 'a late instance has the same')
    },
  )

  t.test('what is deleted at one instance is gone at the other, for readers of each transport', async (t) => {
    const { all, same } = await instances(t, url)
    const [a, b] = all as [Built, Built]
    const first = await a.app.tidings.publish('c', 1)
    await a.app.tidings.publish('c', 2)
    await same()
    const live = await openStream(t, `${b.url}/sse?channel=c`)
    await live.next()
    await a.app.tidings.delete('c')
    await a.app.tidings.publish('c', 3)
    t.match(await live.next(), { data: /"data":3/ }, 'who had it all is told of nothing')
    await same()
    for (const transport of TRANSPORTS) {
      const at = `channel=c&cursor=${first.cursor}`
      t.strictSame(await read(t, b.url, transport, at, 1), ['trimmed'], transport)
      t.strictSame(await read(t, b.url, transport, 'channel=c&cursor=last:9', 1), [3], transport)
    }
  })

  t.test('a late instance gives the same last and since, by the same rules, to each transport', async (t) => {
    const { all, enter, same } = await instances(t, url, { rules: { 'price.': { messages: 1 } } })
    const [a, b] = all as [Built, Built]
    const times: number[] = []
    for (let i = 0; i < 6; i++) {
      times.push((await all[i % 2]!.app.tidings.publish('log', i)).time)
      await all[i % 2]!.app.tidings.publish('price.eur', i)
      // Each has a time of its own: `since:` is asked from between them.
      while (Date.now() <= times.at(-1)!) await new Promise(setImmediate)
    }
    await b.app.tidings.end('log', 'over')
    const late = await enter()
    await same()
    for (const { url } of [a, b, late]) {
      for (const transport of TRANSPORTS) {
        t.strictSame(await read(t, url, transport, 'channel=price.eur&cursor=last:5', 1), [5], transport)
        t.strictSame(await read(t, url, transport, 'channel=log&cursor=last:2', 2), [5, ['end', 'over']])
        const since = `channel=log&cursor=since:${times[4]}`
        t.strictSame(await read(t, url, transport, since, 3), [4, 5, ['end', 'over']], transport)
      }
      t.equal((await ask(`${url}/poll?channel=log&cursor=last:0`)).status, 400)
    }
    t.equal(late.app.tidings.cursor(), a.app.tidings.cursor())
    const page = await late.app.tidings.read(['log', 'price.eur'], { cursor: 'last:1', limit: 1 })
    t.match(page, { messages: [{ data: 5, channel: 'price.eur' }], more: true })
    // The cursor of the midst of it is good at any instance.
    t.strictSame(await a.app.tidings.read(['log', 'price.eur'], { cursor: page.cursor }), {
      ...(await late.app.tidings.read(['log', 'price.eur'], { cursor: page.cursor })),
    })
  })
}
