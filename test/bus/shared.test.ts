import t, { type Test } from 'tap'
import type { Bus, Host } from '../../bus/bus.ts'
import { parseCursor } from '../../bus/cursor.ts'
import { textPayload } from '../../bus/payload.ts'
import { Reader } from '../../bus/reader.ts'
import { connectTo } from '../../bus/redis/clients.ts'
import { RedisEngine } from '../../bus/redis/engine.ts'
import { type RedisBusOptions, redisBus } from '../../bus/redis.ts'
import { sharedBus } from '../../bus/shared/shared-bus.ts'
import { ALWAYS, NO_FILE, needsRedis, RedisServer } from '../redis/server.ts'
import { Recorder, turn } from './fixture.ts'

const HOST: Host = { patience: 100_000, warn: () => {} }
const ALL = { limit: 100_000, bytes: 1e9 }

/** Instances of one log, each a bus of its own. */
async function instances(t: Test, count: number, options: RedisBusOptions): Promise<Bus[]> {
  const buses = Array.from({ length: count }, () => redisBus(options))
  t.teardown(() => Promise.all(buses.map((bus) => bus.close())))
  await Promise.all(buses.map((bus) => bus.open!(HOST)))
  return buses
}

/** What an instance has of some channels: envelopes, each with its cursor. */
function has({ log }: Bus, channels: readonly string[]): string[] {
  return log.read(channels, log.floor(channels), ALL).entries.map(({ envelope }) => envelope)
}

async function until(so: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await so())) await turn()
}

/** A stream of one channel, as an instance's client has it. */
function follow(bus: Bus, channel: string, start: string): Recorder {
  const sink = new Recorder()
  new Reader(bus.log, [channel], start === 'now' ? 'now' : parseCursor(start)!, sink).resume()
  return sink
}

if (needsRedis(t)) {
  t.test('what one instance publishes all have, in one order, with one cursor', async (t) => {
    const { url } = await RedisServer.start(t, NO_FILE)
    const [a, b, c] = await instances(t, 3, { url })
    const live = follow(c!, 'a', 'now')
    const published = [a!, b!].flatMap((bus, who) =>
      Array.from({ length: 500 }, (_, i) => bus.publish(i % 2 ? 'a' : 'b', textPayload(`${who} ${i}`))),
    )
    const accepted = await Promise.all(published)
    t.equal(new Set(accepted.map(({ seq }) => seq)).size, 1000)
    await until(() => [a, b, c].every((bus) => bus!.log.head === 1000))
    t.strictSame(has(a!, ['a', 'b']), has(b!, ['a', 'b']))
    t.strictSame(has(a!, ['a', 'b']), has(c!, ['a', 'b']))
    for (const who of ['0', '1']) {
      const own = has(c!, ['a', 'b']).map((text) => JSON.parse(text).data as string)
      const numbers = own.filter((data) => data.startsWith(who)).map((data) => Number(data.slice(2)))
      t.strictSame(
        numbers,
        [...numbers].sort((x, y) => x - y),
        'in the order of its calls',
      )
    }
    await until(() => live.got.length === 500)
    t.strictSame(
      live.got,
      [...live.got].sort((x, y) => Number(x) - Number(y)),
    )
  })

  t.test('an instance does not parse its own messages again', async (t) => {
    const { url } = await RedisServer.start(t, NO_FILE)
    const [other] = await instances(t, 1, { url })
    const counts = { read: 0, omitted: 0 }
    const bus = sharedBus(({ keys, keyAge, bytes }) => {
      const engine = new RedisEngine('Redis', connectTo(url), 'tidings', {
        keys,
        keyAge,
        keyBytes: bytes / 2,
      })
      const read = engine.read.bind(engine)
      engine.read = async (...args) => {
        const result = await read(...args)
        counts.read += result.items.filter((item) => !('turn' in item)).length
        counts.omitted += result.omitted ?? 0
        return result
      }
      return engine
    })
    t.teardown(() => bus.close())
    await bus.open!(HOST)
    // Under load it waits before it reads the feed. A single message may come there before the answer to its publish.
    const lane = async () => {
      for (let i = 0; i < 100; i++) await bus.publish('c', textPayload(`${i}`))
    }
    await Promise.all(Array.from({ length: 30 }, lane))
    await other!.publish('c', textPayload('of another instance'))
    await until(() => bus.log.head === 3001)
    t.ok(counts.omitted > 0, `${counts.omitted} batches`)
    t.ok(counts.read < 2000, `${counts.read} of 3,001 messages were parsed`)
    t.strictSame(has(bus, ['c']), has(other!, ['c']))
  })

  t.test('two prefixes never meet', async (t) => {
    const { url } = await RedisServer.start(t, NO_FILE)
    const [one] = await instances(t, 1, { url, prefix: 'one' })
    const [two] = await instances(t, 1, { url, prefix: 'two' })
    await one!.publish('c', textPayload('1'), 'key')
    t.equal((await two!.publish('c', textPayload('2'), 'key')).repeated, false)
    t.strictSame([one!.log.head, two!.log.head], [1, 1])
    t.not(one!.log.epoch, two!.log.epoch)
  })

  t.test('a key publishes once, whichever instances it is used at', async (t) => {
    const { url } = await RedisServer.start(t, NO_FILE)
    const buses = await instances(t, 3, { url })
    const publishes = buses.flatMap((bus) =>
      Array.from({ length: 10 }, () => bus.publish('c', textPayload('a'), 'k')),
    )
    const all = await Promise.all(publishes)
    t.equal(new Set(all.map(({ epoch, seq, time }) => `${epoch} ${seq} ${time}`)).size, 1)
    t.equal(all.filter(({ repeated }) => !repeated).length, 1)
    await t.rejects(buses[0]!.publish('c', textPayload('b'), 'k'), {
      code: 'TIDINGS_ERR_KEY_REUSED',
    } as never)
  })

  t.test('a newcomer has the same messages, cursors and floors', async (t) => {
    const { url } = await RedisServer.start(t, NO_FILE)
    const options = { url, retention: { messages: 7, channels: 5 } }
    const [old] = await instances(t, 1, options)
    for (let i = 0; i < 40; i++) await old!.publish(`c${i % 3}`, textPayload(`${i}`))
    const [later] = await instances(t, 1, options)
    const channels = ['c0', 'c1', 'c2']
    const state = (bus: Bus) => [
      bus.log.epoch,
      bus.log.head,
      channels.map((name) => bus.log.floor([name])),
      has(bus, channels),
    ]
    t.strictSame(state(later!), state(old!))
    await later!.publish('c0', textPayload('more'))
    await until(() => old!.log.head === 41)
    t.strictSame(state(later!), state(old!))
  })

  t.test('all of it is gone: the log starts over, everywhere, and once', async (t) => {
    const server = await RedisServer.start(t, NO_FILE)
    const [a, b] = await instances(t, 2, { url: server.url })
    for (let i = 0; i < 5; i++) await a!.publish('c', textPayload(`${i}`), `k${i}`)
    await until(() => b!.log.head === 5)
    const before = a!.log.cursor(5)
    const { epoch } = a!.log
    const live = [follow(a!, 'c', 'now'), follow(b!, 'c', before)]
    await server.call('FLUSHALL')
    await until(() => [a, b].every((bus) => bus!.log.epoch !== epoch))
    t.equal(a!.log.epoch, b!.log.epoch)
    t.strictSame(
      live.map((each) => each.take()),
      [['epoch 0'], ['epoch 0']],
      'also where nobody publishes',
    )
    for (let i = 0; i < 7; i++) await b!.publish('c', textPayload(`new ${i}`), `k${i}`)
    await until(() => a!.log.head === 7)
    await turn()
    t.strictSame(
      live.map((each) => each.take()),
      [
        [1, 2, 3, 4, 5, 6, 7],
        [1, 2, 3, 4, 5, 6, 7],
      ],
    )
    t.match(a!.log.locate(parseCursor(before)!, ['c']), { gap: { reason: 'epoch', seq: 0 } })
  })

  t.test('a restart of Redis loses nothing that it has on its disk', async (t) => {
    const server = await RedisServer.start(t, ALWAYS)
    const [a, b] = await instances(t, 2, { url: server.url })
    const live = follow(b!, 'c', 'now')
    const first = await a!.publish('c', textPayload('first'))
    await until(() => b!.log.head === 1)
    const { epoch } = a!.log
    await server.kill()
    await until(() => !a!.connected && !b!.connected)
    const waits = a!.publish('c', textPayload('second'))
    await server.up()
    const second = await waits
    t.not(second.epoch, epoch)
    await until(() => b!.log.head === 2)
    await turn()
    t.strictSame(live.got, [1, 2], 'and no reader notices')
    for (const bus of [a!, b!]) {
      t.equal(bus.log.epoch, second.epoch)
      t.strictSame(bus.log.locate(first, ['c']), { seq: 1, gap: undefined })
      t.strictSame(
        has(bus, ['c']).map((text) => JSON.parse(text).cursor),
        [`${epoch}.1`, `${second.epoch}.2`],
      )
    }
    const [later] = await instances(t, 1, { url: server.url })
    t.strictSame(has(later!, ['c']), has(a!, ['c']))
    t.strictSame(
      later!.log.locate(first, ['c']),
      { seq: 1, gap: undefined },
      'old cursors are good there, too',
    )
  })

  t.test('an older copy: who has had what was lost is told where the two part', async (t) => {
    const server = await RedisServer.start(t, ALWAYS)
    const [a, b] = await instances(t, 2, { url: server.url })
    for (let i = 0; i < 5; i++) await a!.publish('c', textPayload(`${i}`))
    const restore = server.copy()
    const { epoch } = a!.log
    const had = follow(a!, 'c', `${epoch}.4`)
    const other = follow(a!, 'd', `${epoch}.5`)
    for (let i = 5; i < 8; i++) await a!.publish('c', textPayload(`${i}`))
    await until(() => b!.log.head === 8)
    await turn()
    const lost = follow(b!, 'c', `${epoch}.8`)
    t.strictSame(had.take(), [5, 6, 7, 8])
    await server.kill()
    restore()
    await server.up()
    await until(() => [a, b].every((bus) => bus!.log.epoch !== epoch))
    await b!.publish('c', textPayload('new'))
    await until(() => a!.log.head === 6)
    await turn()
    t.strictSame([had.take(), lost.take(), other.take()], [['ahead 5', 6], ['ahead 5', 6], []])
    t.strictSame(has(a!, ['c']), has(b!, ['c']))
    const at = (seq: number) => a!.log.locate({ epoch, seq }, ['c'])
    t.strictSame(at(5), { seq: 5, gap: undefined })
    t.strictSame(at(6), { seq: 5, gap: { reason: 'ahead', seq: 5 } }, 'also once the new log is as long')
  })

  t.test('a cursor that an instance cannot judge yet is waited for', async (t) => {
    const server = await RedisServer.start(t, NO_FILE)
    const [a, b] = await instances(t, 2, { url: server.url })
    for (let i = 0; i < 50; i++) {
      const place = await a!.publish('c', textPayload(`${i}`))
      await b!.settle!(place)
      t.strictSame(b!.log.locate(place, ['c']), { seq: place.seq, gap: undefined })
    }
    t.equal(a!.settle!({ epoch: a!.log.epoch, seq: 3 }), undefined, 'at no cost where it can be judged')
    t.equal(a!.settle!('now'), undefined)
    t.equal(a!.settle!({ last: 3 }), undefined)
    await a!.settle!({ epoch: 'forged', seq: 3 })
    t.match(a!.log.locate({ epoch: 'forged', seq: 3 }, ['c']), { gap: { reason: 'epoch' } })
    await a!.settle!({ epoch: a!.log.epoch, seq: 99 })
    t.match(a!.log.locate({ epoch: a!.log.epoch, seq: 99 }, ['c']), { gap: { reason: 'ahead', seq: 50 } })
    await server.kill()
    const refused = { code: 'TIDINGS_ERR_UNAVAILABLE', statusCode: 503 } as never
    await t.rejects(a!.settle!({ epoch: 'forged', seq: 3 })!, refused)
    await t.rejects(a!.publish('c', textPayload('x')), refused)
  })
}
