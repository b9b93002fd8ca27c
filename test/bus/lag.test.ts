import t, { type Test } from 'tap'
import type { Bus } from '../../bus/bus.ts'
import { Log } from '../../bus/log.ts'
import { memoryBus } from '../../bus/memory.ts'
import { endPayload, REOPEN, textPayload } from '../../bus/payload.ts'
import { Reader } from '../../bus/reader.ts'
import { Calls } from '../../bus/shared/calls.ts'
import type { Trim } from '../../bus/shared/engine.ts'
import { Follower } from '../../bus/shared/follower.ts'
import { type SharedRetention, sharedBus } from '../../bus/shared/shared-bus.ts'
import { Trimmer } from '../../bus/shared/trimmer.ts'
import { Recorder, say, turn } from './fixture.ts'
import { Store, StoreEngine } from './store.ts'

async function start(t: Test, store: Store, retention: SharedRetention = {}, gate?: Promise<void>) {
  const engine = new StoreEngine(store)
  engine.gate = gate
  const bus = sharedBus(() => engine, retention)
  t.teardown(() => bus.close())
  await bus.open!({ patience: 5000, warn: () => {} })
  return { bus, engine }
}

function follow(bus: Bus, ...channels: string[]): Recorder {
  const sink = new Recorder()
  new Reader(bus.log, channels.sort(), 'now', sink).resume()
  return sink
}

async function until(so: () => boolean): Promise<void> {
  while (!so()) await turn()
}

t.test(
  'an instance that fell behind retention: who has lost messages is told once, others are not',
  async (t) => {
    const store = new Store()
    const a = await start(t, store, { messages: 10 })
    const b = await start(t, store, { messages: 10 })
    await a.bus.publish('d', textPayload('d'))
    await a.bus.publish('c', textPayload('c'))
    await until(() => b.bus.log.head === 2)
    const [lost, other, both] = [follow(b.bus, 'c'), follow(b.bus, 'e'), follow(b.bus, 'c', 'e')]
    let open = () => {}
    b.engine.gate = new Promise((resolve) => {
      open = resolve
    })
    for (let i = 0; i < 100; i++) await a.bus.publish(i < 50 ? 'c' : 'd', textPayload(`${i}`))
    await until(() => store.start > 40)
    const { start: first } = store
    b.engine.gate = undefined
    open()
    await until(() => b.bus.log.head === 102)
    await a.bus.publish('e', textPayload('e'))
    await until(() => b.bus.log.head === 103)
    await turn()
    const gap = `trimmed ${first}`
    const rest = Array.from({ length: 52 - first }, (_, i) => first + 1 + i)
    t.strictSame([lost.got, both.got, other.got], [[gap, ...rest], [gap, ...rest, 103], [103]])
    for (const channel of ['c', 'd', 'e']) {
      t.equal(b.bus.log.floor([channel]), a.bus.log.floor([channel]), channel)
    }
  },
)

t.test('an instance knows how many messages it lacks', async (t) => {
  const store = new Store()
  const a = await start(t, store)
  const b = await start(t, store)
  let open = () => {}
  b.engine.gate = new Promise((resolve) => {
    open = resolve
  })
  for (let i = 0; i < 5; i++) await a.bus.publish('c', textPayload(`${i}`))
  t.strictSame([a.bus.lag, b.bus.lag], [0, 0], 'nobody has told it yet')
  // It asks for the head of the log.
  const settled = b.bus.settle!({ epoch: store.epoch, seq: 99 })
  await until(() => b.bus.lag === 5)
  b.engine.gate = undefined
  open()
  await settled
  t.strictSame([b.bus.lag, b.bus.log.head], [0, 5])
  store.fork('second', 3)
  await a.bus.publish('c', textPayload('new'))
  await until(() => b.bus.log.epoch === 'second' && b.bus.log.head === 4)
  t.strictSame([a.bus.lag, b.bus.lag], [0, 0], 'places of another epoch do not count')
})

t.test('a log that does not come in time: the start fails, and says so', async (t) => {
  const store = new Store()
  store.head = 1
  const bus = sharedBus(() => new StoreEngine(store))
  await t.rejects(bus.open!({ patience: 50, warn: () => {} }), {
    code: 'TIDINGS_ERR_ENGINE',
    message: "a store did not deliver its log in time: raise Fastify's pluginTimeout",
  } as never)
  await t.rejects(bus.publish('c', textPayload('x')), { code: 'TIDINGS_ERR_CLOSED' } as never)
})

t.test('a call that is cut off is made again, and nothing is published twice', async (t) => {
  const store = new Store()
  const { bus, engine } = await start(t, store)
  engine.faults = 3
  const [one, two] = await Promise.all([
    bus.publish('c', textPayload('1')),
    bus.publish('c', textPayload('2')),
  ])
  t.strictSame([one.seq, two.seq], [1, 2])
  t.equal(engine.appends, 4)
  t.equal(store.head, 2)
  t.strictSame((await bus.publish('c', textPayload('3'))).seq, 3)
})

t.test('an instance that slept through several forks finds what it has in common with the log', async (t) => {
  const store = new Store()
  const a = await start(t, store)
  const b = await start(t, store)
  for (let i = 0; i < 5; i++) await a.bus.publish('c', textPayload(`${i}`))
  await until(() => b.bus.log.head === 5)
  const live = follow(b.bus, 'c')
  let open = () => {}
  b.engine.gate = new Promise((resolve) => {
    open = resolve
  })
  await a.bus.publish('c', textPayload('goes on'))
  store.fork('second', 6)
  store.fork('third', 4)
  await until(() => a.bus.log.epoch === 'third')
  await a.bus.publish('c', textPayload('new'))
  store.fork('fourth', 5)
  b.engine.gate = undefined
  open()
  await until(() => b.bus.log.epoch === 'fourth' && a.bus.log.epoch === 'fourth')
  t.strictSame([b.bus.log.head, a.bus.log.head], [5, 5])
  await a.bus.publish('c', textPayload('newer'))
  await until(() => b.bus.log.head === 6)
  await turn()
  t.strictSame(live.got, ['ahead 4', 5, 6], 'it had been told of 5, which is another one now')
  const texts = ({ log }: Bus) =>
    log.read(['c'], 0, { limit: 99, bytes: 1e6 }).entries.map((each) => each.envelope)
  t.strictSame(texts(b.bus), texts(a.bus))
  t.match(b.bus.log.locate({ epoch: 'first', seq: 5 }, ['c']).gap, { reason: 'ahead', seq: 4 })
})

t.test('the whole tail is cut while an instance reads it: it comes to the same state', async (t) => {
  const names = ['quiet', 'reopened', 'c']
  const texts = ({ log }: Bus) =>
    names.map((name) => [
      log.floor([name]),
      log.endOf(name)?.seq,
      ...log.read([name], log.floor([name]), { limit: 99, bytes: 1e6 }).entries.map((each) => each.envelope),
    ])
  for (const late of [false, true]) {
    const store = new Store()
    const a = await start(t, store, { messages: 1 })
    await a.bus.publish('quiet', textPayload('quiet'))
    await a.bus.publish('reopened', endPayload(textPayload('no end')))
    const follower = late ? undefined : await start(t, store, { messages: 1 })
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    if (follower) {
      await until(() => follower.bus.log.head === 2)
      follower.engine.gate = gate
    }
    for (let i = 0; i < 20; i++) await a.bus.publish('c', textPayload(`${i}`))
    // It has read the first of them, and waits with the second read.
    let reads = 0
    const slow = new StoreEngine(store)
    const read = slow.read.bind(slow)
    slow.read = async (after, signal) => {
      if (late && ++reads === 2) await gate
      return read(after, signal)
    }
    const loading = late ? sharedBus(() => slow, { messages: 1 }) : undefined
    if (loading) t.teardown(() => loading.close())
    const opened = loading?.open?.({ patience: 5000, warn: () => {} })
    if (late) await until(() => reads === 2)
    await a.bus.publish('reopened', REOPEN)
    await a.bus.publish('c', textPayload('last'))
    // What the trimmer does once nothing in the tail is worth more than what must be moved.
    const kept = Array.from(a.bus.log.entries(), ({ seq }) => seq)
    const floors = new Map(names.map((name) => [name, a.bus.log.floor([name])]))
    const { epoch, head } = store
    await a.engine.trim({
      epoch,
      seq: head,
      kept,
      gone: [],
      floors,
      unknown: [],
      head,
      forgotten: 0,
      mostFloors: 9,
    })
    if (follower) follower.engine.gate = undefined
    open()
    await opened
    const bus = loading ?? follower!.bus
    await until(() => bus.log.head === head)
    t.strictSame(texts(bus), texts(a.bus), late ? 'it loads' : 'it follows')
  }
})

t.test('what an engine announced before it started over is no lag', async (t) => {
  const bus = memoryBus()
  const due: (() => void)[] = []
  const timer = t.intercept(globalThis, 'setTimeout', {
    value: (callback: () => void) => {
      due.push(callback)
      return { unref: () => undefined }
    },
  })
  const follower = new Follower(
    new StoreEngine(new Store()),
    bus.log,
    new Calls(),
    () => {},
    () => {},
  )
  follower.expect({ epoch: 'before', seq: 1000 })
  t.equal(follower.lag, 1000)
  follower.expect({ epoch: 'after', seq: 5 })
  await bus.publish('a', textPayload('moves the head'))
  due.shift()!()
  timer.restore()
  t.equal(follower.lag, 4)
})

t.test(
  'a message that a fork has taken is not reported as removed: another one may have its seq',
  async (t) => {
    const due: (() => Promise<void>)[] = []
    const timer = t.intercept(globalThis, 'setTimeout', {
      value: (callback: () => Promise<void>) => {
        due.push(callback)
        return { unref: () => undefined }
      },
    })
    const retention = { messages: 1, age: Infinity, bytes: 1e9, channels: 10 }
    const log = new Log(retention, (gone) => trimmer.note(gone))
    t.teardown(() => log.close())
    const reported: number[] = []
    class Cut extends StoreEngine {
      /** Another instance has cut the tail behind all of it. */
      override async trim({ gone }: Trim): Promise<number> {
        reported.push(...gone)
        return 10
      }
    }
    const calls = { make: (call: (signal: AbortSignal) => unknown) => call(new AbortController().signal) }
    const trimmer = new Trimmer(new Cut(new Store()), log, calls as unknown as Calls, 10)
    for (let i = 0; i < 4; i++) say(log, 'a')
    log.turn(1)
    say(log, 'b')
    trimmer.start()
    timer.restore()
    await due.shift()!()
    trimmer.close()
    t.strictSame(reported, [1], '2 is a message of b now')
  },
)

t.test('a server that has lost floors is told them again', async (t) => {
  const store = new Store()
  const { bus, engine } = await start(t, store, { messages: 1 })
  await bus.publish('quiet', textPayload('trimmed'))
  await bus.publish('quiet', textPayload('kept'))
  const replica = store.copy()
  await until(() => store.floors.get('quiet') === 1)
  replica.fork('second', 2)
  engine.store = replica
  await until(() => bus.log.epoch === 'second')
  await until(() => replica.floors.get('quiet') === 1)
  t.equal(replica.head, 2, 'without another message')
})
