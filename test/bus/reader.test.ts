import t from 'tap'
import type { Start } from '../../bus/cursor.ts'
import type { Log } from '../../bus/log.ts'
import { Reader } from '../../bus/reader.ts'
import { makeLog, Recorder, say, turn } from './fixture.ts'

function start(log: Log, channels: string[], from: Start | number): { sink: Recorder; reader: Reader } {
  const sink = new Recorder()
  const at = typeof from === 'number' ? { epoch: log.epoch, seq: from } : from
  return { sink, reader: new Reader(log, channels, at, sink) }
}

function started(log: Log, channels: string[], from: Start | number): { sink: Recorder; reader: Reader } {
  const { sink, reader } = start(log, channels, from)
  reader.resume()
  return { sink, reader }
}

function at(log: Log, seq: number): Start {
  return { epoch: log.epoch, seq }
}

t.test('first what the log holds, then what comes next', async (t) => {
  const log = makeLog(t)
  for (const name of 'abab') say(log, name)
  const { sink, reader } = start(log, ['a'], 0)
  t.strictSame([sink.got, reader.place, reader.channels], [[], 0, ['a']], 'not before it is started')
  reader.resume()
  t.strictSame([sink.take(), reader.place], [[1, 3], 4])
  reader.resume()
  t.strictSame(sink.take(), [], 'resuming twice is harmless')
  say(log, 'b')
  t.equal(reader.place, 5, 'idle, it moves with the log')
  say(log, 'a')
  say(log, 'b')
  say(log, 'a')
  t.equal(reader.place, 5, 'not before it was handed what came')
  await turn()
  t.strictSame([sink.take(), reader.place], [[6, 8], 8])
  reader.end()
})

t.test('where it starts', async (t) => {
  const log = makeLog(t, { messages: 2 })
  for (let i = 0; i < 4; i++) say(log, 'a')
  const cases: [from: Start | number, expected: (number | string)[]][] = [
    ['now', []],
    ['earliest', [3, 4]],
    [1, ['trimmed 2', 3, 4]],
    [2, [3, 4]],
    [4, []],
    [5, ['ahead 4']],
    [{ epoch: 'other', seq: 4 }, ['epoch 2', 3, 4]],
  ]
  for (const [from, expected] of cases) {
    const { sink, reader } = started(log, ['a'], from)
    t.strictSame([sink.take(), reader.place], [expected, 4])
    reader.end()
  }
  const none = started(log, [], 0)
  t.strictSame([none.sink.got, none.reader.place], [[], log.head], 'no channel')
})

t.test('one batch for all live readers at the same place', async (t) => {
  const log = makeLog(t)
  const readers = [started(log, ['a'], 'now'), started(log, ['a'], 'now'), started(log, ['a'], 0)]
  say(log, 'a')
  say(log, 'a')
  await turn()
  t.equal(new Set(readers.map(({ sink }) => sink.batches[0])).size, 1)
})

t.test('a long replay goes in steps', async (t) => {
  const log = makeLog(t)
  for (let i = 0; i < 2500; i++) say(log, 'a')
  const { sink } = started(log, ['a'], 0)
  t.ok(sink.batches.length > 2)
  t.strictSame(
    sink.take(),
    Array.from({ length: 2500 }, (_, i) => i + 1),
  )
})

t.test('a full sink pauses it, and the log is its buffer', async (t) => {
  const log = makeLog(t, { messages: 3 })
  const { sink, reader } = started(log, ['a'], 'now')
  sink.full = true
  say(log, 'a')
  await turn()
  t.strictSame([sink.take(), reader.place, log.groups.watching], [[], 0, 0])
  say(log, 'a')
  await turn()
  reader.resume()
  t.strictSame(sink.take(), [], 'a resume of one that is full still')
  sink.full = false
  reader.resume()
  t.strictSame([sink.take(), reader.place, log.groups.watching], [[1, 2], 2, 1])

  sink.onBatch = () => {
    sink.full = true
  }
  say(log, 'a')
  await turn()
  t.strictSame([sink.take(), log.groups.watching], [[3], 0], 'full after a delivery')
  for (let i = 0; i < 5; i++) say(log, 'a')
  sink.full = false
  reader.resume()
  t.strictSame(sink.take(), ['trimmed 5', 6, 7, 8], 'more came than is kept')
  sink.full = false
  reader.resume()
  t.equal(log.groups.watching, 1)
})

t.test('a hole at the start waits for a full sink, too', async (t) => {
  const log = makeLog(t, { messages: 1 })
  say(log, 'a')
  say(log, 'a')
  const { sink, reader } = start(log, ['a'], 0)
  sink.full = true
  reader.resume()
  t.strictSame(sink.got, [])
  sink.full = false
  sink.onGap = () => {
    sink.full = true
  }
  reader.resume()
  t.strictSame(sink.take(), ['trimmed 1'])
  sink.full = false
  reader.resume()
  t.strictSame(sink.take(), [2])
})

t.test('a burst larger than one step reaches a live reader whole', async (t) => {
  const log = makeLog(t, { messages: 10 })
  const { sink } = started(log, ['a'], 'now')
  for (let i = 0; i < 2500; i++) say(log, 'a')
  await turn()
  t.strictSame(
    sink.take(),
    Array.from({ length: 2500 }, (_, i) => i + 1),
  )
  const wide = makeLog(t)
  const other = started(wide, ['a'], 'now')
  for (let i = 0; i < 2500; i++) say(wide, 'a')
  await turn()
  t.ok(other.sink.batches.length > 2, 'in steps')
  t.strictSame(
    other.sink.take(),
    Array.from({ length: 2500 }, (_, i) => i + 1),
  )
  t.equal(wide.groups.watching, 1)
})

t.test('a sink that publishes keeps the order, for itself and for others', async (t) => {
  for (const messages of [1, 2, 1000]) {
    const log = makeLog(t, { messages })
    const readers = [started(log, ['a'], 'now'), started(log, ['a'], 'now'), started(log, ['a', 'b'], 'now')]
    readers[0]!.sink.onBatch = () => {
      if (log.head < 3) say(log, 'a')
    }
    say(log, 'a')
    for (let i = 0; i < 4; i++) await turn()
    for (const { sink } of readers) {
      const seqs = sink.got.filter((item) => typeof item === 'number')
      t.strictSame(seqs, seqs.toSorted(), 'in order')
      t.equal(new Set(sink.got).size, sink.got.length, 'nothing twice')
      // The readers behind the one that published may have a hole where the log keeps one message alone.
      if (messages > 1) t.strictSame(sink.got, [1, 2, 3])
      else t.equal(sink.got.at(-1), 3)
    }
    t.strictSame(readers[0]!.sink.got, [1, 2, 3])
  }
})

t.test('add: from now, the past, and the future of a slow reader', async (t) => {
  const log = makeLog(t)
  const done: string[] = []
  for (const name of 'abab') say(log, name)
  const { sink, reader } = started(log, ['a'], 2)
  t.strictSame(sink.take(), [3])
  reader.add('b', at(log, 0), () => done.push(`b ${sink.take()} ${reader.place}`))
  t.strictSame(done, ['b 2,4 4'], 'replayed up to its place')
  t.strictSame(reader.channels, ['a', 'b'])
  reader.add('0', 'now', () => done.push('0'))
  t.strictSame(reader.channels, ['0', 'a', 'b'], 'sorted')
  for (const name of 'b0ca') say(log, name)
  await turn()
  t.strictSame(sink.take(), [5, 6, 8])

  sink.full = true
  for (const name of 'caba') say(log, name)
  await turn()
  reader.add('c', at(log, 10), () => done.push(`c ${sink.take()}`))
  t.strictSame([sink.got, done.length, reader.place], [[], 2, 9])
  say(log, 'c')
  say(log, 'a')
  sink.full = false
  reader.resume()
  t.strictSame(done[2], 'c 10,11,12,14,13', 'what it has to catch up with comes first, without 9')
  t.equal(reader.place, 14)
  reader.add('earliest', 'earliest', () => done.push('earliest'))
  t.equal(done.length, 4)
})

t.test('add: of a live reader that has not been handed the last messages', async (t) => {
  const log = makeLog(t)
  const { sink, reader } = started(log, ['a'], 'now')
  for (const name of 'abab') say(log, name)
  reader.add('b', at(log, 2), () => sink.got.push('done'))
  t.strictSame(sink.take(), [1, 3, 4, 'done'])
  say(log, 'b')
  await turn()
  t.strictSame(sink.take(), [5])

  for (const name of 'aca') say(log, name)
  reader.add('c', 'now', () => sink.got.push('done'))
  t.strictSame(sink.take(), [6, 8, 'done'])
  await turn()
  t.strictSame(sink.take(), [])
})

t.test('add: with a hole of its own', async (t) => {
  const log = makeLog(t, { messages: 2 })
  for (const name of 'bbbba') say(log, name)
  const { sink, reader } = started(log, ['a'], 'now')
  reader.add('b', at(log, 1), () => sink.got.push('done'))
  t.strictSame(sink.take(), ['trimmed 2 b', 3, 4, 'done'])
  reader.remove('b')
  reader.add('b', { epoch: 'other', seq: 4 }, () => sink.got.push('done'))
  t.strictSame(sink.take(), ['epoch 2 b', 3, 4, 'done'])
  reader.remove('b')
  reader.add('b', at(log, 6), () => sink.got.push('done'))
  t.strictSame(sink.take(), ['ahead 5 b', 'done'])
})

t.test(
  'add: behind a hole that lies ahead of a slow reader, it is told once, and nothing else is lost',
  async (t) => {
    const log = makeLog(t, { messages: 2 })
    const { sink, reader } = started(log, ['a'], 'now')
    sink.full = true
    for (const name of 'abbbba') say(log, name)
    await turn()
    reader.add('b', at(log, 0), () => sink.got.push('done'))
    sink.full = false
    reader.resume()
    t.strictSame(sink.take(), ['trimmed 3 b', 1, 6, 4, 5, 'done'])
  },
)

t.test('add: what is trimmed during a slow replay', async (t) => {
  const log = makeLog(t, { messages: 2000 })
  for (let i = 0; i < 2000; i++) say(log, 'b')
  const { sink, reader } = started(log, ['a'], 'now')
  sink.onBatch = () => {
    sink.full = true
  }
  reader.add('b', at(log, 0), () => sink.got.push('done'))
  const { length } = sink.take()
  t.ok(length > 0 && length < 1500)
  for (let i = 0; i < 1500; i++) say(log, 'b')
  sink.onBatch = () => {}
  sink.full = false
  reader.resume()
  t.strictSame(sink.take(), ['trimmed 1500 b', ...range(1501, 2000), 'done', ...range(2001, 3500)])
})

t.test('add: all of it is trimmed during a slow replay', async (t) => {
  const log = makeLog(t, { messages: 1500 })
  for (let i = 0; i < 1500; i++) say(log, 'b')
  const { sink, reader } = started(log, ['a'], 'now')
  sink.onBatch = () => {
    sink.full = true
  }
  reader.add('b', at(log, 0), () => sink.got.push('done'))
  sink.take()
  for (let i = 0; i < 3000; i++) say(log, 'b')
  sink.onBatch = () => {}
  sink.full = false
  reader.resume()
  t.strictSame(
    sink.take(),
    ['trimmed 1500 b', 'done', 'trimmed 3000', ...range(3001, 4500)],
    'the replay’s hole ends at the reader’s place; the next is the reader’s own',
  )
})

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

t.test('remove: nothing of the channel follows', async (t) => {
  const log = makeLog(t)
  const { sink, reader } = started(log, ['a', 'b'], 'now')
  for (const name of 'abab') say(log, name)
  reader.remove('b')
  t.strictSame([sink.take(), reader.channels], [[1, 3], ['a']], 'not even what was waiting')
  say(log, 'b')
  say(log, 'a')
  await turn()
  t.strictSame(sink.take(), [6])
  sink.full = true
  say(log, 'a')
  await turn()
  reader.remove('a')
  sink.full = false
  reader.resume()
  t.strictSame([sink.take(), reader.channels, reader.place], [[], [], 7])
})

t.test('end: nothing is delivered after it', async (t) => {
  const log = makeLog(t, { messages: 2 })
  const { sink, reader } = started(log, ['a'], 'now')
  say(log, 'a')
  reader.end()
  reader.end()
  await turn()
  reader.resume()
  reader.remove('a')
  let done = 0
  reader.add('b', { epoch: 'other', seq: 0 }, () => done++)
  t.strictSame([sink.got, log.groups.watching], [[], 0])
  t.equal(done, 1, 'who waits for an add is answered')

  for (let i = 0; i < 3; i++) say(log, 'a')
  const never = start(log, ['a'], 0)
  never.reader.end()
  never.reader.resume()
  t.strictSame(never.sink.got, [])
})

t.test('end: from within the sink', async (t) => {
  const log = makeLog(t, { messages: 1500 })
  for (let i = 0; i < 1500; i++) say(log, 'b')
  const replay = start(log, ['b'], 0)
  replay.sink.onBatch = () => replay.reader.end()
  replay.reader.resume()
  t.equal(replay.sink.batches.length, 1)

  const live = started(log, ['b'], 'now')
  live.sink.onBatch = () => live.reader.end()
  for (let i = 0; i < 1500; i++) say(log, 'b')
  await turn()
  t.equal(live.sink.batches.length, 1)

  const gap = start(log, ['b'], 0)
  gap.sink.onGap = () => gap.reader.end()
  gap.reader.resume()
  t.strictSame(gap.sink.got, ['trimmed 1500'])

  const adding = started(log, ['a'], 'now')
  adding.sink.onBatch = () => adding.reader.end()
  let done = 0
  adding.reader.add('b', 'earliest', () => done++)
  t.equal(adding.sink.batches.length, 1)
  t.strictSame([done, log.groups.watching], [1, 0])
})

t.test('end: while a channel is being added', async (t) => {
  const log = makeLog(t)
  say(log, 'b')
  const { sink, reader } = started(log, ['a'], 'now')
  sink.full = true
  let done = 0
  reader.add('b', at(log, 0), () => done++)
  t.equal(done, 0)
  reader.end()
  reader.end()
  t.equal(done, 1)
  sink.full = false
  reader.resume()
  t.strictSame(sink.got, [])
})
