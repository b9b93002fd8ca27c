import fc from 'fast-check'
import t from 'tap'
import { parseCursor, parseStart } from '../../bus/cursor.ts'
import { Excerpt } from '../../bus/excerpt.ts'
import type { Log } from '../../bus/log.ts'
import { REOPEN } from '../../bus/payload.ts'
import { Reader } from '../../bus/reader.ts'
import { subscribe } from '../../bus/subscribe.ts'
import { end, makeLog, Recorder, say, turn } from './fixture.ts'

const ALL = { limit: 10_000, bytes: 1e9 }

/** What a start gives of the log as it is. */
function read(log: Log, channels: readonly string[], start: string): (number | string)[] {
  const { seq, gap, excerpt } = log.locate(parseStart(start)!, channels)
  if (gap !== undefined) return [`${gap.reason} ${gap.seq}`]
  return log.read(channels, seq, ALL, excerpt).entries.map(({ seq }) => seq)
}

t.test('starts', async (t) => {
  t.strictSame(parseStart('last:1'), { last: 1 })
  t.strictSame(parseStart('last:1000'), { last: 1000 })
  t.strictSame(parseStart('since:0'), { since: 0 })
  t.strictSame(parseStart('since:1790000000000'), { since: 1_790_000_000_000 })
  t.strictSame(parseStart('since:9007199254740991'), { since: Number.MAX_SAFE_INTEGER })
  for (const none of [
    'last',
    'last:',
    'last:0',
    'last:01',
    'last:1001',
    'last:9999',
    'last:10000',
    'last:-1',
    'last:1.5',
    'last:1e2',
    'last:x',
    'last: 1',
    'LAST:1',
    'last:1\n',
    'since',
    'since:',
    'since:-1',
    'since:01',
    'since:1.5',
    'since:now',
    'since:9007199254740992',
    'since:99999999999999999',
  ]) {
    t.equal(parseStart(none), undefined, JSON.stringify(none))
  }
})

t.test('the last of each channel, in log order', async (t) => {
  const log = makeLog(t)
  for (const name of ['a', 'b', 'a', 'a', 'c', 'b', 'a', 'b']) say(log, name)
  t.strictSame(read(log, ['a'], 'last:1'), [7])
  t.strictSame(read(log, ['a'], 'last:2'), [4, 7])
  t.strictSame(read(log, ['a', 'b', 'c'], 'last:1'), [5, 7, 8])
  t.strictSame(read(log, ['a', 'b', 'c'], 'last:2'), [4, 5, 6, 7, 8])
  t.strictSame(read(log, ['a', 'b', 'c', 'none'], 'last:1000'), [1, 2, 3, 4, 5, 6, 7, 8])
  t.strictSame(read(log, ['none'], 'last:5'), [])
})

t.test('less is kept than asked for: that is no gap', async (t) => {
  const log = makeLog(t, { messages: 2 })
  say(log, 'quiet')
  for (let i = 0; i < 9; i++) say(log, 'loud')
  t.strictSame(read(log, ['loud', 'quiet'], 'last:1'), [1, 10])
  t.strictSame(read(log, ['loud', 'quiet'], 'last:5'), [1, 9, 10])
  t.strictSame(read(log, ['loud', 'quiet'], 'since:0'), [1, 9, 10])
  t.strictSame(read(log, ['loud', 'quiet'], 'earliest'), [9, 10], 'after the highest floor')
})

t.test('what was accepted since', async (t) => {
  let now = 1000
  const clock = t.capture(Date, 'now', () => now)
  const log = makeLog(t)
  for (const [channel, time] of [
    ['a', 1000],
    ['b', 2000],
    ['a', 3000],
    ['b', 3000],
    ['a', 4000],
  ] as const) {
    now = time
    say(log, channel)
  }
  clock.restore()
  const since = (time: number) => read(log, ['a', 'b'], `since:${time}`)
  t.strictSame(since(0), [1, 2, 3, 4, 5])
  t.strictSame(since(1000), [1, 2, 3, 4, 5])
  t.strictSame(since(1001), [2, 3, 4, 5])
  t.strictSame(since(3000), [3, 4, 5])
  t.strictSame(since(4000), [5])
  t.strictSame(since(4001), [])
  t.strictSame(since(Number.MAX_SAFE_INTEGER), [])
})

t.test('the last message counts, and not the end behind it', async (t) => {
  const log = makeLog(t)
  say(log, 'a')
  say(log, 'a')
  end(log, 'a')
  t.strictSame(read(log, ['a'], 'last:1'), [2, 3])
  say(log, 'b')
  end(log, 'b', 'final')
  t.strictSame(read(log, ['b'], 'last:1'), [5], 'its data does')
  log.append('a', REOPEN)
  t.strictSame(read(log, ['a'], 'last:1'), [2])
})

t.test('a plain cursor, wherever one does', async (t) => {
  const log = makeLog(t)
  for (const name of ['a', 'a', 'b', 'a', 'b']) say(log, name)
  const { excerpt } = log.locate({ last: 2 }, ['a'])
  t.equal(excerpt, undefined, 'one channel needs no other')
  t.equal(log.cursorAt({ last: 1 }, ['a']), log.cursor(3))
  t.equal(log.cursorAt({ last: 2 }, ['none']), log.cursor(5), 'with nothing kept: the head')
  t.equal(log.cursorAt({ last: 1000 }, ['a', 'b']), log.cursor(0))
  t.match(log.cursorAt({ last: 1 }, ['a', 'b']), log.cursor(3))
  const batch = log.read(['a', 'b'], 1, ALL, log.locate({ last: 2 }, ['a', 'b']).excerpt)
  t.strictSame(batch.cursor, log.cursor(5))
})

t.test('a cursor in the midst of it is as long as a cursor may be', async (t) => {
  const most = Number.MAX_SAFE_INTEGER
  const bounds = new Map([
    ['a', most - 1],
    ['b', most],
  ])
  for (const choice of [{ last: 1000, head: most }, { since: most }]) {
    const excerpt = new Excerpt('k3f9xq2a', choice, bounds)
    for (let place = 0; place < 300; place++) {
      const cursor = excerpt.cursor(place)
      t.ok(cursor.indexOf('.') <= 32)
      const parsed = parseCursor(cursor)
      t.strictSame(parsed, { epoch: 'k3f9xq2a', seq: place, choice, digest: excerpt.digest(place) })
    }
    t.equal(excerpt.cursor(most), `k3f9xq2a.${most}`)
  }
})

t.test('whatever an epoch, a head and a digest look like, a cursor is read as it was written', async () => {
  const parts = fc.constantFrom('_', 'l', 's', '1', 'z', '-', 'A')
  const epochs = fc.array(parts, { minLength: 8, maxLength: 8 }).map((characters) => characters.join(''))
  const number = fc.oneof(fc.nat(3000), fc.maxSafeNat())
  const choice = fc.oneof(
    fc.record({ last: fc.integer({ min: 1, max: 1000 }), head: number }),
    fc.record({ since: number }),
  )
  fc.assert(
    fc.property(epochs, choice, number, number, (epoch, choice, seq, bound) => {
      const excerpt = new Excerpt(epoch, choice, new Map([['a', bound]]))
      const expected = seq < bound ? { epoch, seq, choice, digest: excerpt.digest(seq) } : { epoch, seq }
      return JSON.stringify(parseCursor(excerpt.cursor(seq))) === JSON.stringify(expected)
    }),
    { numRuns: 3000 },
  )
})

t.test('going on from any cursor neither loses, nor repeats, nor tells a hole that is none', async (t) => {
  const names = ['a', 'b', 'c', 'd']
  const name = fc.constantFrom(...names)
  const start = fc.oneof(
    fc.integer({ min: 1, max: 5 }).map((n) => `last:${n}`),
    fc.integer({ min: 0, max: 30 }).map((ms) => `since:${ms}`),
  )
  let gaps = 0
  let chosen = 0
  const { restore } = t.capture(Date, 'now', () => now)
  let now = 0
  fc.assert(
    fc.property(
      fc.array(name, { maxLength: 25 }),
      start,
      fc.uniqueArray(name, { minLength: 1, maxLength: 4 }),
      fc.array(fc.tuple(fc.array(name, { maxLength: 3 }), fc.integer({ min: 1, max: 3 })), { maxLength: 20 }),
      fc.integer({ min: 1, max: 6 }),
      (before, text, asked, steps, messages) => {
        now = 0
        const log = makeLog(t, { messages })
        const all: { seq: number; channel: string; time: number }[] = []
        const publish = (channel: string) => {
          now++
          all.push({ seq: say(log, channel), channel, time: now })
        }
        for (const channel of before) publish(channel)
        const channels = asked.sort()
        const kept = (channel: string) => all.filter((each) => each.channel === channel).slice(-messages)
        const [, kind, number] = /(.*):(.*)/.exec(text)!
        // What the client is to get of what is there, and then all that comes.
        const wanted = channels
          .flatMap((channel) =>
            kind === 'last'
              ? kept(channel).slice(-Number(number))
              : kept(channel).filter(({ time }) => time >= Number(number)),
          )
          .map(({ seq }) => seq)
          .sort((a, b) => a - b)
        let cursor = text
        for (const [more, limit] of [[[], 1] as const, ...steps, [[], 100] as const]) {
          for (const channel of more) {
            publish(channel)
            if (channels.includes(channel)) wanted.push(all.at(-1)!.seq)
          }
          const lost = wanted.some((seq) => {
            const { channel } = all[seq - 1]!
            return !kept(channel).some((each) => each.seq === seq)
          })
          const { seq, gap, excerpt } = log.locate(parseStart(cursor)!, channels)
          if (cursor !== text) {
            if (lost !== (gap !== undefined)) throw new Error(`lost ${lost}, gap ${gap?.seq} from ${cursor}`)
            if (excerpt !== undefined) chosen++
          }
          if (gap !== undefined) {
            gaps++
            return
          }
          if (cursor === text && more.length > 0) throw new Error('unreachable')
          const batch = log.read(channels, seq, { limit, bytes: 1e9 }, excerpt)
          const got = batch.entries.map((entry) => entry.seq)
          const expected = wanted.splice(0, limit)
          if (String(got) !== String(expected)) throw new Error(`got ${got}, expected ${expected}`)
          const own = batch.entries.at(-1)
          // The place of the last message is as good as that of the page.
          cursor = own !== undefined && limit === 2 ? batch.cursorOf(own) : batch.cursor
          if (own !== undefined && JSON.parse(batch.envelopeOf(own)).cursor !== batch.cursorOf(own)) {
            throw new Error('its envelope names another place')
          }
        }
      },
    ),
    { numRuns: 2000 },
  )
  restore()
  t.ok(gaps > 20 && chosen > 40, `${gaps} ${chosen}`)
})

t.test('a forged choice is a place like any other', async (t) => {
  const log = makeLog(t, { messages: 2 })
  for (const name of ['a', 'b', 'a', 'b', 'a', 'b']) say(log, name)
  const forged = (seq: number) => `${log.epoch}_l1_6_0.${seq}`
  t.strictSame(read(log, ['a', 'b'], forged(2)), [3, 4, 5, 6])
  t.strictSame(read(log, ['a', 'b'], forged(0)), ['trimmed 2'])
  t.strictSame(read(log, ['a', 'b'], forged(7)), ['ahead 6'])
  t.strictSame(read(log, ['a', 'b'], 'other123_l1_6_0.3'), ['epoch 2'])
})

t.test('a reader, from the last and on', async (t) => {
  const log = makeLog(t, { messages: 2 })
  say(log, 'quiet')
  for (let i = 0; i < 5; i++) say(log, 'loud')
  const sink = new Recorder()
  const cursors: string[] = []
  sink.onBatch = (batch) => cursors.push(...batch.entries.map((entry) => batch.cursorOf(entry)))
  const reader = new Reader(log, ['loud', 'quiet'], { last: 1 }, sink)
  t.match(reader.cursor, /_l1_.*\.0$/)
  reader.resume()
  say(log, 'loud')
  await turn()
  t.strictSame(sink.take(), [1, 6, 7])
  t.match(cursors[0], /_l1_.*\.1$/)
  t.strictSame(cursors.slice(1), [log.cursor(6), log.cursor(7)])
  t.equal(reader.cursor, log.cursor(7))
  reader.end()
})

t.test('a reader that adds and drops channels in the midst of it', async (t) => {
  const log = makeLog(t)
  say(log, 'quiet')
  say(log, 'other')
  for (let i = 0; i < 5; i++) say(log, 'loud')
  const sink = new Recorder()
  sink.onBatch = () => {
    sink.full = true
  }
  const step = () => {
    sink.full = false
    reader.resume()
  }
  sink.full = true
  const reader = new Reader(log, ['loud', 'quiet'], { last: 1 }, sink)
  reader.add('other', { last: 1 }, () => sink.got.push('done'))
  t.strictSame(sink.take(), [], 'not before it has come to the others')
  step()
  t.strictSame(sink.take(), [1, 7])
  step()
  t.strictSame(sink.take(), [2])
  step()
  t.strictSame(sink.take(), ['done'])
  reader.end()

  const two = new Reader(log, ['loud', 'other', 'quiet'], { last: 1 }, new Recorder())
  two.remove('loud')
  t.match(two.cursor, log.cursor(7), 'what is left has no bound ahead')
  two.end()
})

t.test('a loop that is left in the midst of it, and goes on', async (t) => {
  const log = makeLog(t, { messages: 3 })
  const { signal } = new AbortController()
  say(log, 'quiet', 'state')
  for (let i = 0; i < 9; i++) say(log, 'loud', `${i}`)
  const got: unknown[] = []
  for (let cursor = 'last:2'; got.length < 3; ) {
    for await (const message of subscribe({ log }, ['quiet', 'loud'], { cursor }, signal)) {
      got.push(message.data)
      ;({ cursor } = message)
      break
    }
  }
  t.strictSame(got, ['state', '7', '8'])
})
