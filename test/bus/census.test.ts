import t, { type Test } from 'tap'
import type { Bus } from '../../bus/bus.ts'
import type { Log } from '../../bus/log.ts'
import type { Member } from '../../bus/reader-group.ts'
import { connectTo } from '../../bus/redis/clients.ts'
import { RedisEngine } from '../../bus/redis/engine.ts'
import { redisBus } from '../../bus/redis.ts'
import { Calls } from '../../bus/shared/calls.ts'
import { Census } from '../../bus/shared/census.ts'
import type { Report } from '../../bus/shared/engine.ts'
import { moment, NO_FILE, needsRedis, RedisServer } from '../redis/server.ts'
import { makeLog, memberOf } from './fixture.ts'

function join({ groups }: Log, ...channels: string[]): Member {
  const member = memberOf(() => {})
  groups.of(channels).join(member)
  return member
}

function leave(member: Member): void {
  member.group!.leave(member)
}

/** Takes reports, unless it fails or has forgotten the earlier ones. */
class Reports {
  sent: Report[] = []
  faults = 0
  forgotten = false

  async report(report: Report): Promise<boolean> {
    this.sent.push(report)
    if (this.faults-- > 0) throw new Error('cut off')
    if (this.forgotten && !report.whole) return false
    this.forgotten = false
    return true
  }

  /** The reports since the last call: whether each is whole, and its counts. */
  take(): [whole: boolean, counts: object][] {
    return this.sent.splice(0).map(({ whole, counts }) => [whole, Object.fromEntries(counts)])
  }
}

function start(t: Test) {
  const log = makeLog(t)
  const engine = new Reports()
  const census = new Census(engine, log.groups, new Calls())
  return {
    log,
    engine,
    census,
    async reported() {
      await census.report()
      return engine.take()
    },
  }
}

t.test('what has changed is reported, and no more', async (t) => {
  const { log, engine, census, reported } = start(t)
  t.strictSame(await reported(), [], 'nobody reads')
  const [one, both] = [join(log, 'a'), join(log, 'a', 'b')]
  t.strictSame(await reported(), [[true, { a: 2, b: 1 }]])
  t.strictSame(await reported(), [])
  leave(both)
  const other = join(log, 'c')
  t.strictSame(await reported(), [[false, { a: 1, b: 0, c: 1 }]])

  engine.faults = 1
  const more = join(log, 'd')
  t.strictSame(await reported(), [[false, { d: 1 }]])
  t.strictSame(await reported(), [[true, { a: 1, c: 1, d: 1 }]], 'it may have come or not')
  engine.forgotten = true
  leave(more)
  t.strictSame(await reported(), [[false, { d: 0 }]])
  t.strictSame(await reported(), [[true, { a: 1, c: 1 }]], 'the engine has started over')

  for (const member of [one, other]) leave(member)
  t.strictSame(await reported(), [[false, { a: 0, c: 0 }]])
  t.strictSame(await reported(), [])
  join(log, 'a')
  t.strictSame(await reported(), [[true, { a: 1 }]])
  const real = performance.now
  performance.now = () => real.call(performance) + 5000
  t.teardown(() => {
    performance.now = real
  })
  t.strictSame(await reported(), [[false, {}]], 'the same is told again in time')
  t.strictSame(await reported(), [])
  await census.close(1000)
  t.strictSame(engine.take(), [[true, {}]], 'it withdraws')
})

t.test('a client of a long poll that is expected back is reported, too', async (t) => {
  const { log, reported } = start(t)
  log.groups.leases.counts()
  join(log, 'a')
  log.groups.leases.grant('e.1', log.groups.of(['a', 'b']))
  t.strictSame(await reported(), [[true, { a: 2, b: 1 }]])
  log.groups.leases.take('e.1', log.groups.of(['a', 'b']))
  t.strictSame(await reported(), [[false, { b: 0, a: 1 }]])
})

t.test('reports have limits', async (t) => {
  const { log, reported } = start(t)
  for (let i = 0; i < 10_100; i++) join(log, `c${i}`)
  const sizes = (await reported()).map(([whole, counts]) => [whole, Object.keys(counts).length])
  t.strictSame(sizes, [[true, 1000], ...Array(9).fill([false, 1000])])
  t.strictSame(await reported(), [])
})

if (needsRedis(t)) {
  t.test('what Redis keeps of reports, and for how long', async (t) => {
    const server = await RedisServer.start(t, NO_FILE)
    const engine = new RedisEngine('Redis', connectTo(server.url), 'p', { keys: 1, keyAge: 1, keyBytes: 1 })
    t.teardown(() => engine.close())
    const { signal } = new AbortController()
    const report = (
      instance: string,
      number: number,
      counts: object,
      { whole = false, lease = 60_000 } = {},
    ) => engine.report({ instance, number, whole, counts: new Map(Object.entries(counts)), lease }, signal)
    const readers = async (channel: string) => {
      const all = await engine.reported(channel, signal)
      return Object.fromEntries(all.map(({ instance, readers }) => [instance, readers]))
    }
    t.equal(await report('a', 1, { c: 1 }), false, 'it has no earlier report')
    t.strictSame(await readers('c'), {})
    t.equal(await report('a', 2, { c: 2, d: 1 }, { whole: true }), true)
    t.equal(await report('b', 1, { c: 5 }, { whole: true }), true)
    t.strictSame(
      [await readers('c'), await readers('d')],
      [
        { a: 2, b: 5 },
        { a: 1, b: 0 },
      ],
    )
    t.equal(await report('a', 4, { c: 0 }), true)
    t.equal(await report('a', 3, { c: 9 }, { whole: true }), true)
    t.strictSame(
      [await readers('c'), await readers('d')],
      [
        { a: 0, b: 5 },
        { a: 1, b: 0 },
      ],
      'that was late',
    )
    t.equal(await report('a', 5, { d: 3 }, { whole: true }), true)
    t.strictSame(
      [await readers('c'), await readers('d')],
      [
        { a: 0, b: 5 },
        { a: 3, b: 0 },
      ],
    )
    t.equal(await report('a', 6, {}, { whole: true }), true)
    t.strictSame(await readers('c'), { b: 5 })

    t.equal(await report('b', 2, {}, { lease: 20 }), true)
    while (Object.keys(await readers('c')).length > 0) await moment()
    t.equal(await report('b', 3, { c: 1 }), false, 'it was silent for too long')
    t.strictSame(await server.call('KEYS', '*'), [], 'nothing is left')
  })

  t.test('readers at all instances', async (t) => {
    const server = await RedisServer.start(t, NO_FILE)
    const [a, b] = [redisBus({ url: server.url }), redisBus({ url: server.url })]
    t.teardown(() => Promise.all([a.close(), b.close()]))
    for (const bus of [a, b]) await bus.open!({ patience: 100_000, warn: () => {} })
    const count = async (bus: Bus) => (await bus.occupancy!('c')).readers
    const until = async (bus: Bus, readers: number) => {
      while ((await count(bus)) !== readers) await moment()
    }
    t.strictSame([await count(a), await count(b)], [0, 0])
    const atA = [join(a.log, 'c'), join(a.log, 'b', 'c')]
    t.equal(await count(a), 2, 'its own it knows at once')
    const atB = join(b.log, 'c')
    await Promise.all([until(a, 3), until(b, 3)])
    const { at } = await a.occupancy!('c')
    t.ok(at <= Date.now() && at > Date.now() - 60_000)
    t.match(await a.occupancy!('b'), { readers: 1 })
    leave(atB)
    await until(a, 2)
    leave(atA[0]!)
    await until(b, 1)

    join(b.log, 'c')
    await until(a, 2)
    await server.call('FLUSHALL')
    join(b.log, 'c')
    await until(a, 3)
    await b.close()
    t.equal(await count(a), 1, 'an instance that closes is counted no more')
    const closed = a.occupancy!('c')
    await a.close()
    await closed.catch((error) => t.match(error, { code: 'TIDINGS_ERR_UNAVAILABLE' }))
    await t.rejects(a.occupancy!('c'), { code: 'TIDINGS_ERR_UNAVAILABLE' } as never)
    t.strictSame(await server.call('KEYS', '*readers*'), [])
  })
}
