import t from 'tap'
import type { Batch, Encoder } from '../../bus/batch.ts'
import { Reader } from '../../bus/reader.ts'
import { HAND_OUT } from '../../bus/reader-groups.ts'
import { TURN, Turns } from '../../bus/turns.ts'
import { makeLog, memberOf, Recorder, say, turn } from './fixture.ts'

/** Counts what happens between two turns of the event loop, for as long as it lasts. */
class Loop {
  now = 0
  most = 0
  #next: NodeJS.Immediate | undefined

  constructor() {
    const look = () => {
      this.most = Math.max(this.most, this.now)
      this.now = 0
      this.#next = setImmediate(look)
    }
    this.#next = setImmediate(look)
  }

  end(): number {
    clearImmediate(this.#next)
    return Math.max(this.most, this.now)
  }
}

t.test('many long replays share each turn of the event loop', async (t) => {
  const log = makeLog(t)
  const total = 15_000
  for (let i = 0; i < total; i++) say(log, 'a', 'x'.repeat(50))
  const encoded = new Loop()
  const written = new Loop()
  const form: Encoder = {
    name: 'counted',
    encode(batch) {
      encoded.now += batch.entries.length
      return Buffer.alloc(0)
    },
  }
  const readers = Array.from({ length: 30 }, (_, i) => {
    const sink = new Recorder()
    sink.onBatch = (batch) => {
      written.now++
      batch.as(form)
    }
    return { sink, from: i * 10, reader: new Reader(log, ['a'], { epoch: log.epoch, seq: i * 10 }, sink) }
  })
  for (const { reader } of readers) reader.resume()
  t.ok(readers[29]!.sink.got.length === 0, 'not all at once')
  let turns = 0
  while (log.groups.watching < readers.length) {
    // What comes meanwhile is for all of them, too.
    if (turns++ === 5) say(log, 'a')
    await turn()
  }
  t.ok(encoded.end() <= 2 * TURN + 1000, `${encoded.most} messages were encoded in one turn`)
  t.ok(written.end() <= TURN / 32 + 1, `${written.most} writes were made in one turn`)
  t.ok(turns > 20)
  for (const { sink, from, reader } of readers) {
    const got = sink.take()
    t.equal(got.length, total + 1 - from)
    t.ok(got.every((seq, i) => seq === from + 1 + i))
    reader.end()
  }
})

t.test('one that waits for its turn may end, add a channel, or fill up', async (t) => {
  const log = makeLog(t)
  for (let i = 0; i < 10_000; i++) say(log, i % 100 === 0 ? 'b' : 'a')
  const start = () => {
    const sink = new Recorder()
    return { sink, reader: new Reader(log, ['a'], { epoch: log.epoch, seq: 0 }, sink) }
  }
  const [ends, adds, fills] = [start(), start(), start()]
  for (const { reader } of [ends, adds, fills]) reader.resume()
  ends.reader.end()
  const before = ends.sink.got.length
  let added = false
  adds.reader.add('b', { epoch: log.epoch, seq: 0 }, () => {
    added = true
  })
  fills.sink.full = true
  while (log.groups.watching < 1) await turn()
  t.equal(ends.sink.got.length, before)
  t.ok(added)
  t.equal(adds.sink.got.length, 10_000)
  t.equal(new Set(adds.sink.got).size, 10_000)
  fills.sink.full = false
  fills.reader.resume()
  while (log.groups.watching < 2) await turn()
  t.equal(fills.sink.got.length, 9900)
})

t.test('who comes back stands behind those who wait', async (t) => {
  const turns = new Turns()
  const heavy = { fresh: () => true, entries: new Array(2 * TURN), bytes: 0 } as unknown as Batch
  const order: string[] = []
  const go = (name: string, again: number) => {
    order.push(name)
    turns.charge(heavy)
    if (again > 0) turns.wait(() => go(name, again - 1))
  }
  turns.wait(() => go('a', 1))
  turns.wait(() => go('b', 1))
  turns.wait(() => go('c', 0))
  while (turns.waiting > 0) await turn()
  t.strictSame(order, ['a', 'b', 'c', 'a', 'b'])
  t.equal(turns.spent, true)
  await turn()
  await turn()
  t.equal(turns.spent, false)
})

t.test('a message reaches thousands of live readers in several turns, and each in order', async (t) => {
  const log = makeLog(t, { messages: 3 })
  const loop = new Loop()
  const readers = Array.from({ length: HAND_OUT * 3 + 7 }, () => {
    const sink = new Recorder()
    sink.onBatch = () => {
      loop.now++
    }
    const reader = new Reader(log, ['a'], 'now', sink)
    reader.resume()
    return { sink, reader }
  })
  say(log, 'a')
  await turn()
  await turn()
  await turn()
  const ahead = readers.filter(({ sink }) => sink.got.length > 0).length
  t.ok(ahead > 0 && ahead < readers.length, `${ahead} have it`)
  const behind = readers.find(({ sink }) => sink.got.length === 0)!
  t.equal(behind.reader.place, 0, 'the place of one that waits')
  t.equal(readers.find(({ sink }) => sink.got.length > 0)!.reader.place, 1)
  say(log, 'a')
  say(log, 'b')
  t.equal(behind.reader.place, 0)
  for (let i = 0; i < 20; i++) await turn()
  t.ok(loop.end() <= HAND_OUT, `${loop.most} deliveries in one turn`)
  t.ok(readers.every(({ sink }) => sink.take().join() === '1,2'))

  say(log, 'a')
  await turn()
  await turn()
  // More than is kept, while some still wait for the first: nobody who keeps up meets a hole.
  for (let i = 0; i < 5; i++) say(log, 'a')
  for (let i = 0; i < 20; i++) await turn()
  t.ok(readers.every(({ sink }) => sink.take().join() === '4,5,6,7,8,9'))
})

t.test('a costly delivery counts as several', async (t) => {
  const log = makeLog(t)
  let heard = 0
  const group = log.groups.of(['a'])
  for (let i = 0; i < 40; i++) {
    group.join({
      ...memberOf(() => {
        heard++
      }),
      effort: HAND_OUT / 8,
    })
  }
  say(log, 'a')
  await turn()
  await turn()
  t.equal(heard, 8)
  log.groups.flush()
  t.equal(heard, 40, 'all that is left, where it must be')
  log.close()
})
