import t from 'tap'
import { ask } from '../../request.ts'
import { seqOf } from '../judge.ts'
import { Line } from '../line.ts'
import { nextId, publishOnce } from '../publisher.ts'
import { logOf, Stage } from '../stage.ts'
import { faults } from './table.ts'

const HOUR = 3_600_000

faults(t, {
  async 'SIGKILL of an instance in mid-publish: keyed once, others once or not at all, readers go on'(t) {
    const stage = await Stage.set(t, { instances: 3 })
    await stage.mark()
    const [victim] = stage.instances
    const keyed = Array.from({ length: 60 }, nextId)
    const bare = Array.from({ length: 60 }, nextId)
    const answers = new Map<number, number>()
    const publish = (id: number, key?: string) =>
      publishOnce(victim!.url, 'a', id, key).then(
        ({ status }) => answers.set(id, status),
        () => answers.set(id, 0),
      )
    const begun = [...keyed.map((id) => publish(id, `${id}`)), ...bare.map((id) => publish(id))]
    await Promise.any(begun)
    stage.leave(victim!)
    await victim!.kill()
    await Promise.all(begun)
    t.comment(`${[...answers.values()].filter((status) => status === 0).length} got no answer`)

    const places = new Map<number, string>()
    for (const id of keyed) {
      const { status, json } = await publishOnce(stage.base, 'a', id, `${id}`)
      t.ok(status === 200 || status === 201, `${status}`)
      if (answers.get(id) === 201) t.equal(status, 200, 'it had an answer already')
      places.set(id, json.cursor)
    }
    await stage.conclude()
    const log = await logOf(stage.instances[0]!.url)
    for (const id of keyed) {
      t.strictSame(
        log.filter(({ data }) => data.id === id).map(({ cursor }) => cursor),
        [places.get(id)],
      )
    }
    for (const id of bare) {
      const count = log.filter(({ data }) => data.id === id).length
      t.ok(answers.get(id) === 201 ? count === 1 : count <= 1, `${answers.get(id)}: ${count} times`)
    }
  },

  async 'clocks that are an hour wrong: one time everywhere, and nobody trims early'(t) {
    const stage = await Stage.set(t, {
      instances: 0,
      start: { retention: { age: HOUR / 2 } },
      load: false,
      readers: [],
    })
    const [slow, right, fast] = await Promise.all([
      stage.enter({ clock: -HOUR }),
      stage.enter(),
      stage.enter({ clock: HOUR }),
    ])
    const before = Date.now()
    for (const instance of [slow, fast, right, fast, slow])
      await instance.publish({ channel: 'a', data: { id: nextId() } })
    const after = Date.now()
    for (const kind of ['poll', 'sse', 'ws'] as const) {
      stage.read({ kind, channels: ['a', 'b'], whole: true, stay: 2 })
    }
    const { time } = await stage.mark()
    t.ok(time >= before)
    const logs = await Promise.all([slow, right, fast].map(({ url }) => logOf(url)))
    t.strictSame(logs[1], logs[0])
    t.strictSame(logs[2], logs[0])
    t.equal(logs[0]!.length, 6)
    for (const { time } of logs[0]!.slice(0, 5))
      t.ok(time >= before - 5 && time <= after + 5, 'the time of Redis')
    for (const { url } of [slow, right, fast]) {
      t.equal((await ask(`${url}/poll?channel=a&cursor=since:${before - 5}`)).json.messages.length, 5)
      t.equal((await ask(`${url}/poll?channel=a&cursor=since:${after + 60_000}`)).status, 204)
    }
    await stage.conclude()
  },

  async 'one key at two instances at once: one 201, one 200, one body; another payload gets 422'(t) {
    const stage = await Stage.set(t, { readers: [], load: false })
    const [one, other] = stage.instances
    for (let i = 0; i < 50; i++) {
      const id = nextId()
      const answers = await Promise.all([one!, other!].map(({ url }) => publishOnce(url, 'a', id, `${id}`)))
      t.strictSame(answers.map(({ status }) => status).sort(), [200, 201])
      t.strictSame(answers[0]!.json, answers[1]!.json)
      const refused = await Promise.all(
        [one!, other!].map(({ url }) => publishOnce(url, 'a', nextId(), `${id}`)),
      )
      t.strictSame(
        refused.map(({ status }) => status),
        [422, 422],
      )
      // The key is one of its channel.
      t.equal((await publishOnce(one!.url, 'b', id, `${id}`)).status, 201)
    }
    t.equal((await logOf(one!.url)).length, 100)
    await stage.conclude()
  },

  async 'an instance frozen past retention: channels that lost messages have one gap, others none'(t) {
    const stage = await Stage.set(t, { readers: [], load: false, start: { retention: { messages: 50 } } })
    const [awake, frozen] = stage.instances
    await stage.publisher.publish('a')
    const last = await stage.publisher.publish('b')
    const loser = stage.read({ kind: 'ws', channels: ['a'], whole: false }, frozen!.url)
    const others = (['sse', 'ws'] as const).map((kind) =>
      stage.read({ kind, channels: ['b'], whole: false }, frozen!.url),
    )
    await Promise.all(others.map(({ judge }) => judge.reached(last)))
    const start = (await ask(`${awake!.url}/poll?channel=a&cursor=earliest`)).json.cursor as string
    frozen!.freeze()
    for (let i = 0; i < 40; i++) {
      await awake!.publish(...Array.from({ length: 10 }, () => ({ channel: 'a', data: { id: nextId() } })))
      await awake!.publish({ channel: 'b', data: { id: nextId() } })
    }
    frozen!.thaw()
    const end = (await awake!.publish(
      { channel: 'a', data: { id: nextId() } },
      { channel: 'b', data: { id: nextId() } },
    )) as {
      cursor: string
    }[]
    const ends = (await logOf(awake!.url)).slice(-2)
    t.strictSame(
      ends.map(({ cursor }) => cursor),
      end.map(({ cursor }) => cursor),
    )
    await loser.judge.reached(ends[0]!.data.id)
    await Promise.all(others.map(({ judge }) => judge.reached(ends[1]!.data.id)))
    // The same floor at both.
    const gaps = await Promise.all(
      [awake!, frozen!].map(({ url }) =>
        ask(`${url}/poll?channel=a&cursor=${start}`).then(({ status, json }) => [status, json]),
      ),
    )
    t.match(gaps[0], [410, { reason: 'trimmed' }])
    t.strictSame(gaps[1], gaps[0])
    // What it had read before, or had come to its socket, is no gap.
    t.ok(loser.judge.gaps.length <= 1)
    for (const { reason } of loser.judge.gaps) t.equal(reason, 'trimmed')
    for (const { judge } of others) {
      t.strictSame(judge.gaps, [])
      t.equal(judge.given.length, 42)
    }
    for (const { judge } of stage.readers) judge.conclude(await logOf(awake!.url))
    t.strictSame(stage.truth.faults, [])
  },

  async 'a follower that lags: a newer cursor is waited for, then answered, and never 410'(t) {
    const stage = await Stage.set(t, { instances: 1, readers: [], load: false })
    const line = await Line.start(t, stage.redis.port)
    const behind = await stage.enter({ url: line.url })
    const [ahead] = stage.instances
    await behind.publish({ channel: 'a', data: { id: nextId() } })
    line.stall('feed')
    const [first] = (await ahead!.publish({ channel: 'a', data: { id: nextId() } })) as { cursor: string }[]
    const [second] = (await ahead!.publish({ channel: 'a', data: { id: nextId() } })) as { cursor: string }[]
    const asked = ['poll', 'longpoll'].map((path) => {
      const question = line.command(/./)
      const answer = ask(`${behind.url}/${path}?channel=a&cursor=${first!.cursor}`)
      return { question, answer }
    })
    // It asks Redis whether there is such a place.
    await Promise.race([asked[0]!.question, Promise.all(asked.map(({ answer }) => answer))])
    line.release()
    for (const { answer } of asked) {
      const { status, json } = await answer
      t.equal(status, 200)
      t.strictSame(
        json.messages.map(({ cursor }: { cursor: string }) => cursor),
        [second!.cursor],
      )
    }
    t.equal((await ask(`${behind.url}/poll?channel=a&cursor=${second!.cursor}`)).status, 204)

    // One that nobody has given is ahead, as soon as Redis has said so.
    const [epoch, seq] = second!.cursor.split('.')
    const forged = await ask(`${behind.url}/poll?channel=a&cursor=${epoch}.${Number(seq) + 1000}`)
    t.match([forged.status, forged.json.reason], [410, 'ahead'])
  },

  async 'a follower that does not come: 503 with Retry-After, and never 410'(t) {
    const stage = await Stage.set(t, { instances: 1, readers: [], load: false })
    const line = await Line.start(t, stage.redis.port)
    const behind = await stage.enter({ url: line.url })
    const [ahead] = stage.instances
    await behind.publish({ channel: 'a', data: { id: nextId() } })
    // All of it, also what it opens anew.
    line.close()
    const [newer] = (await ahead!.publish({ channel: 'a', data: { id: nextId() } })) as { cursor: string }[]
    const [poll, longpoll, stream, socket] = await Promise.all([
      ask(`${behind.url}/poll?channel=a&cursor=${newer!.cursor}`),
      ask(`${behind.url}/longpoll?channel=a&cursor=${newer!.cursor}`),
      ask(`${behind.url}/sse?channel=a&cursor=${newer!.cursor}`),
      ask(`${behind.url}/ws?channel=a&cursor=${newer!.cursor}`, {
        headers: {
          connection: 'upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        },
      }),
    ])
    for (const { status, json, headers } of [poll, longpoll, socket]) {
      t.match([status, json.code], [503, 'TIDINGS_ERR_UNAVAILABLE'])
      t.match(headers['retry-after'], /^[1-9]\d*$/)
    }
    t.equal(stream.status, 200)
    t.equal(stream.headers['tidings-refused'], 'unavailable')
    t.match(stream.text, /^retry: \d+\n$/)
    line.release()
    for (;;) {
      const { status } = await ask(`${behind.url}/poll?channel=a&cursor=${newer!.cursor}`)
      if (status === 204) break
      t.equal(status, 503)
    }
  },

  async 'a new instance starts under load: the messages, cursors and floors of an old one'(t) {
    const stage = await Stage.set(t, {
      load: { lanes: 8, pause: 0 },
      start: { retention: { messages: 100 } },
      readers: [],
    })
    // So many channels that some have lost all they had, and some a part.
    const [old] = stage.instances
    await old!.publish(
      ...Array.from({ length: 300 }, (_, i) => ({ channel: i < 250 ? 'c' : 'd', data: { id: nextId() } })),
    )
    await stage.publisher.more(300)
    const fresh = await stage.enter()
    await stage.publisher.more(100)
    await stage.publisher.stop()
    await stage.publisher.publish('b')
    const [epoch] = (await ask(`${old!.url}/poll?channel=a`)).json.cursor.split('.')
    for (const channels of [['a'], ['b'], ['c'], ['d'], ['e'], ['a', 'c', 'd']]) {
      t.strictSame(await logOf(fresh.url, channels), await logOf(old!.url, channels), channels.join())
      const query = channels.map((channel) => `channel=${channel}`).join('&')
      const floors = await Promise.all(
        [old!, fresh].map(async ({ url }) => {
          const { status, text, headers } = await ask(`${url}/poll?${query}&cursor=${epoch}.0&limit=1`)
          return [status, headers['tidings-gap'], headers['tidings-cursor'], text]
        }),
      )
      t.strictSame(floors[1], floors[0], `floors of ${channels.join()}`)
    }
    const { bus } = (await ask(`${fresh.url}/stats`)).json
    t.equal(bus.connected, true)
    t.ok(seqOf((await ask(`${fresh.url}/poll?channel=c&cursor=${epoch}.0`)).json.cursor) > 0)
  },
})
