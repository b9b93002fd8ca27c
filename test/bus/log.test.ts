import { setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { parseCursor } from '../../bus/cursor.ts'
import { Log } from '../../bus/log.ts'
import type { Entry } from '../../bus/message.ts'
import { bytesPayload, textPayload } from '../../bus/payload.ts'
import { runChild } from './child.ts'
import { makeLog, memberOf, say, turn } from './fixture.ts'

const ALL = { limit: 1000, bytes: 1e9 }

/** One fits beside a few channels, two do not. */
const LONG = 'x'.repeat(15_000)

function seqs(log: Log, channels: string[], after = 0, bound: object = {}): number[] {
  return log.read(channels, after, { ...ALL, ...bound }).entries.map(({ seq }) => seq)
}

t.test('seqs run over all channels, from 1', async (t) => {
  const log = makeLog(t)
  t.strictSame([log.head, log.kept], [0, { channels: 0, messages: 0, bytes: 0 }])
  t.strictSame([say(log, 'a'), say(log, 'b'), say(log, 'a')], [1, 2, 3])
  t.equal(log.head, 3)
  t.strictSame(seqs(log, ['a']), [1, 3])
  t.strictSame(seqs(log, ['b']), [2])
  t.strictSame(seqs(log, ['none']), [])
  t.match(parseCursor(log.cursor(3)), { epoch: log.epoch, seq: 3 }, 'its cursors are cursors')
  t.not(makeLog(t).epoch, log.epoch)
})

t.test('channels are merged in log order', async (t) => {
  const log = makeLog(t)
  const names = ['a', 'b', 'c', 'd']
  for (const name of 'abacdbbdca') say(log, name)
  t.strictSame(seqs(log, names), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  t.strictSame(seqs(log, ['b', 'd']), [2, 5, 6, 7, 8])
  t.strictSame(seqs(log, ['b', 'd'], 5), [6, 7, 8])
  t.strictSame(seqs(log, []), [])
  const batch = log.read(['b', 'd'], 5, ALL)
  t.strictSame(
    [batch.end, batch.more, batch.cursor],
    [10, false, log.cursor(10)],
    'to the head where no more waits',
  )
})

t.test('one read is bounded in messages, bytes and seq', async (t) => {
  const log = makeLog(t)
  for (let i = 0; i < 6; i++) say(log, 'a', 'x'.repeat(100))
  const { size } = log.read(['a'], 0, ALL).entries[0]!

  const limited = log.read(['a'], 1, { limit: 2, bytes: 1e9 })
  t.strictSame([limited.entries.map(({ seq }) => seq), limited.end, limited.more], [[2, 3], 3, true])
  t.equal(log.read(['a'], 0, { limit: 6, bytes: 1e9 }).more, false, 'all of them is no more')

  t.strictSame(seqs(log, ['a'], 0, { bytes: 3 * (size + 1) }), [1, 2, 3])
  t.strictSame(seqs(log, ['a'], 0, { bytes: 3 * (size + 1) - 1 }), [1, 2])
  t.strictSame(seqs(log, ['a'], 0, { bytes: 1 }), [1], 'one, whatever it weighs')

  const until = log.read(['a'], 1, { ...ALL, until: 3 })
  t.strictSame([until.entries.map(({ seq }) => seq), until.end, until.more], [[2, 3], 3, false])
  t.strictSame(seqs(log, ['a'], 6), [])
})

t.test('readers at the same place get the same batch, until the log changes', async (t) => {
  const log = makeLog(t, { messages: 20 })
  const channels = ['a']
  for (let i = 0; i < 12; i++) say(log, 'a')
  const batch = log.read(channels, 3, ALL)
  t.equal(log.read(channels, 3, ALL), batch)
  t.not(log.read(channels, 4, ALL), batch)
  t.not(log.read(['a'], 3, ALL), batch, 'channels that may be others')
  t.not(log.read(channels, 3, { ...ALL }), batch, 'a bound that may be another')
  for (let after = 3; after < 12; after++) log.read(channels, after, ALL)
  const again = log.read(channels, 3, ALL)
  t.not(again, batch, 'few are remembered')
  t.strictSame(again, batch)
  say(log, 'a')
  t.equal(log.read(channels, 3, ALL).entries.length, 10)
})

t.test('the count is each channel’s own', async (t) => {
  const log = makeLog(t, { messages: 2 })
  say(log, 'b')
  for (let i = 0; i < 5; i++) say(log, 'a')
  t.strictSame(seqs(log, ['a', 'b'], 4), [5, 6])
  t.strictSame(seqs(log, ['b']), [1])
  t.strictSame([log.floor(['a']), log.floor(['b']), log.floor(['a', 'b']), log.floor(['none'])], [4, 0, 4, 0])
  t.strictSame([log.kept.channels, log.kept.messages], [2, 3])
})

t.test('past the bytes the log’s oldest goes first', async (t) => {
  const text = 'x'.repeat(2000)
  const probe = makeLog(t)
  for (const name of 'abc') say(probe, name, text)
  const log = makeLog(t, { bytes: probe.kept.bytes + 500 })
  for (const name of 'abc') say(log, name, text)
  t.strictSame(log.kept, probe.kept)
  say(log, 'c', text)
  t.match(log.kept, { channels: 2, messages: 3 })
  t.strictSame(seqs(log, ['b', 'c'], 0), [2, 3, 4])
  t.equal(log.floor(['a']), 1)
  log.charge(1000)
  t.match(log.kept, { channels: 1, messages: 2 }, 'what is kept beside the messages counts')
  log.charge(-1000)
  say(log, 'c', text)
  t.match(log.kept, { channels: 1, messages: 3 })
  log.append('big', bytesPayload(Buffer.alloc(10_000)))
  t.strictSame(
    log.kept,
    { channels: 0, messages: 0, bytes: log.kept.bytes },
    'one beyond the bound takes all with it',
  )
  t.equal(say(log, 'a', 'xxx'), 7)
  t.strictSame(seqs(log, ['a'], 6), [7], 'and the log goes on')
})

t.test('what was appended last outlasts the channels without a message', async (t) => {
  const log = makeLog(t, { bytes: 3000, messages: 1 })
  for (const name of ['a', 'b']) say(log, name, 'x'.repeat(1500))
  t.equal(log.floor(['a']), 1, 'remembered apart')
  say(log, 'c', 'x'.repeat(2300))
  t.match(log.kept, { channels: 1, messages: 1 })
  t.ok(log.kept.bytes <= 3000)
  t.strictSame([log.floor(['a']), log.floor(['never heard of'])], [2, 2], 'forgotten')
})

t.test('channels without a message take a quarter of the bytes', async (t) => {
  const log = makeLog(t, { bytes: 20_000, messages: 1, channels: 1000 })
  for (let i = 1; i <= 100; i++) say(log, `c${i}`, 'x'.repeat(7000))
  t.ok(log.kept.bytes <= 20_000)
  t.equal(log.floor(['never heard of']), log.floor(['c1']), 'the first are forgotten')
  t.equal(log.floor(['c97']), 97, 'the last are not')
})

t.test('messages go when their time is over', async (t) => {
  const log = makeLog(t, { age: 30 })
  say(log, 'a')
  say(log, 'b')
  const group = log.groups.of(['b'])
  const heard: number[] = []
  group.join(memberOf((after) => heard.push(after)))
  while (log.kept.messages > 0) await wait(5)
  t.strictSame([log.floor(['a']), log.floor(['b'])], [1, 2])
  say(log, 'b')
  t.equal(log.kept.messages, 1)
  while (log.kept.messages > 0) await wait(5)
  t.equal(log.floor(['b']), 3, 'the timer comes back')
  t.strictSame(heard, [2])
})

t.test('the age timer keeps no process, and ends with the log', async (t) => {
  const result = await runChild(
    `import { Log } from './bus/log.ts'
     import { textPayload } from './bus/payload.ts'
     const log = new Log({ messages: 1, age: 3_600_000, bytes: 10_000, channels: 1 })
     log.append('a', textPayload('x'))
     console.log(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length)`,
  )
  t.strictSame(result, { code: 0, output: '0\n' })

  const closed = new Log({ messages: 9, age: 5, bytes: 10_000, channels: 1 })
  say(closed, 'a')
  closed.close()
  say(closed, 'a')
  const open = makeLog(t, { age: 5 })
  say(open, 'a')
  while (open.kept.messages > 0) await wait(5)
  t.equal(closed.kept.messages, 2)
})

t.test('a channel that is forgotten leaves its floor to all unknown ones', async (t) => {
  const log = makeLog(t, { channels: 2, bytes: 20_000 })
  for (const name of ['a', 'b', 'c', 'd']) say(log, name, LONG)
  t.strictSame(log.kept, { channels: 1, messages: 1, bytes: log.kept.bytes })
  t.strictSame([log.floor(['c']), log.floor(['b'])], [3, 2], 'remembered apart')
  t.equal(log.floor(['a']), 1, 'forgotten')
  t.equal(log.floor(['never heard of']), 1)
  say(log, 'a', LONG)
  t.equal(log.floor(['a']), 1, 'it comes back with that floor')
  t.strictSame(log.locate({ epoch: log.epoch, seq: 0 }, ['e']), {
    seq: 0,
    gap: { reason: 'trimmed', seq: 2 },
  })
  t.strictSame(log.locate({ epoch: log.epoch, seq: 2 }, ['e']), { seq: 2, gap: undefined })

  const none = makeLog(t, { channels: 0, messages: 1, bytes: 20_000 })
  for (const name of ['a', 'b', 'c']) say(none, name, LONG)
  t.equal(none.floor(['x']), 2)
})

t.test('a channel that is full again is forgotten last', async (t) => {
  const log = makeLog(t, { channels: 1, bytes: 20_000 })
  for (const name of ['a', 'b', 'a', 'c', 'd']) say(log, name, LONG)
  t.equal(log.floor(['c']), 4)
  t.equal(log.floor(['a']), 3)
  t.equal(log.floor(['b']), 3, 'forgotten, and so it has the highest floor of the forgotten')
})

t.test('where a reader starts', async (t) => {
  const log = makeLog(t, { messages: 2 })
  const at = (seq: number, epoch = log.epoch) => ({ epoch, seq })
  t.strictSame(log.locate('now', ['a']), { seq: 0, gap: undefined })
  t.strictSame(log.locate('earliest', ['a']), { seq: 0, gap: undefined })
  for (let i = 0; i < 4; i++) say(log, 'a')
  say(log, 'b')
  t.strictSame(log.locate('now', ['a']), { seq: 5, gap: undefined })
  t.strictSame(log.locate('earliest', ['a', 'b']), { seq: 2, gap: undefined }, 'that start is no gap')
  t.strictSame(log.locate(at(1), ['a']), { seq: 1, gap: { reason: 'trimmed', seq: 2 } })
  t.strictSame(log.locate(at(2), ['a']), { seq: 2, gap: undefined }, 'it is told once')
  t.strictSame(log.locate(at(0), ['b']), { seq: 0, gap: undefined })
  t.strictSame(log.locate(at(5), ['a']), { seq: 5, gap: undefined })
  t.strictSame(log.locate(at(6), ['a']), { seq: 5, gap: { reason: 'ahead', seq: 5 } })
  t.strictSame(log.locate(at(6, 'other'), ['a']), { seq: 2, gap: { reason: 'epoch', seq: 2 } })
  t.strictSame(log.locate(at(0, 'other'), []), { seq: 5, gap: { reason: 'epoch', seq: 5 } }, 'no channel')
  t.strictSame(log.locate('earliest', []), { seq: 5, gap: undefined })
  t.strictSame(log.nothing, log.read([], 5, ALL))
})

/** The log as a list: what it keeps, and what each channel has lost. */
class Model {
  readonly all: Entry[] = []
  kept: Entry[] = []
  readonly #retention: { messages: number; bytes: number; channels: number }
  readonly #floors = new Map<string, number>()
  #empty: string[] = []
  readonly #places = new Map<string, number>()
  #forgotten = 0

  constructor(retention: { messages: number; bytes: number; channels: number }) {
    this.#retention = retention
  }

  append(entry: Entry): void {
    const { channel } = entry
    this.all.push(entry)
    this.kept.push(entry)
    this.#floors.set(channel, this.floor(channel))
    this.#empty = this.#empty.filter((name) => name !== channel)
    const places = this.#places.get(channel) ?? 1
    this.#places.set(channel, this.of(channel).length > places ? places * 2 : places)
    if (this.of(channel).length > this.#retention.messages) this.#drop(this.of(channel)[0]!)
    while (this.bytes > this.#retention.bytes && this.kept.length > 0) {
      if (this.kept.length === 1 && this.#empty.length > 0) this.#forget()
      else this.#drop(this.kept[0]!)
    }
  }

  /** By what each part takes: a channel, an entry and its place, which comes with the next power of two. */
  get bytes(): number {
    let bytes = this.kept.reduce((sum, { weight }) => sum + weight, 0)
    for (const name of this.#floors.keys())
      bytes += this.#channel(name) + (this.#empty.includes(name) ? 8 : 0)
    return bytes
  }

  #channel(name: string): number {
    return 234 + 24 + 8 * (this.#places.get(name) ?? 1)
  }

  of(...channels: string[]): Entry[] {
    return this.kept.filter(({ channel }) => channels.includes(channel))
  }

  floor(...channels: string[]): number {
    return Math.max(...channels.map((name) => this.#floors.get(name) ?? this.#forgotten))
  }

  #drop({ seq, channel }: Entry): void {
    this.kept = this.kept.filter((entry) => entry.seq !== seq)
    this.#floors.set(channel, seq)
    const { length } = this.of(channel)
    const places = this.#places.get(channel)!
    if (places > 1 && length <= places / 4) this.#places.set(channel, places / 2)
    if (length > 0) return
    this.#empty.push(channel)
    const over = () => this.#empty.reduce((sum, name) => sum + this.#channel(name) + 8, 0)
    while (this.#empty.length > this.#retention.channels || over() > this.#retention.bytes / 4) this.#forget()
  }

  #forget(): void {
    const name = this.#empty.shift()!
    this.#forgotten = Math.max(this.#forgotten, this.floor(name))
    this.#floors.delete(name)
    this.#places.delete(name)
  }
}

t.test('it keeps and gives what a list of messages would', async () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd')
  const step = fc.record({ name, size: fc.integer({ min: 0, max: 60 }) })
  const ask = fc.record({
    channels: fc.uniqueArray(name, { minLength: 1 }).map((names) => names.sort()),
    after: fc.integer({ min: 0, max: 60 }),
    limit: fc.integer({ min: 1, max: 6 }),
  })
  const retention = fc.record({
    messages: fc.integer({ min: 1, max: 5 }),
    bytes: fc.integer({ min: 50, max: 6000 }),
    channels: fc.integer({ min: 0, max: 3 }),
  })
  fc.assert(
    fc.property(retention, fc.array(fc.tuple(step, ask), { maxLength: 60 }), (retention, steps) => {
      const log = new Log({ ...retention, age: Infinity })
      const model = new Model(retention)
      for (const [{ name, size }, { channels, after, limit }] of steps) {
        model.append(log.append(name, textPayload('x'.repeat(size))))
        if (log.kept.messages !== model.kept.length) return false
        if (log.kept.bytes !== model.bytes) return false
        if (log.kept.channels !== new Set(model.kept.map(({ channel }) => channel)).size) return false
        const floor = model.floor(...channels)
        if (log.floor(channels) !== floor) return false
        const from = Math.max(floor, Math.min(after, log.head))
        const expected = model.of(...channels).filter(({ seq }) => seq > from)
        const { entries, end, more } = log.read(channels, from, { limit, bytes: 1e9 })
        if (entries.length !== Math.min(limit, expected.length)) return false
        if (entries.some((entry, i) => entry !== expected[i])) return false
        if (more !== expected.length > limit || end !== (more ? entries.at(-1)!.seq : log.head)) return false
      }
      return true
    }),
    { numRuns: 500 },
  )
})

t.test('a trimmed message’s memory is given back', async (t) => {
  const result = await runChild(
    `import { Log } from './bus/log.ts'
     import { textPayload } from './bus/payload.ts'
     const used = () => {
       for (let i = 0; i < 3; i++) globalThis.gc()
       const { heapUsed, external } = process.memoryUsage()
       return heapUsed + external
     }
     const say = (log, name) => log.append(name, textPayload('x'.repeat(200) + log.head))
     const one = new Log({ messages: 100_000, age: Infinity, bytes: 20_000_000, channels: 10 })
     const empty = used()
     for (let i = 0; i < 40_000; i++) say(one, 'a')
     const full = used()
     say(one, 'b')
     for (let i = 0; i < 40_000; i++) say(one, 'c' + i)
     const many = used()
     const giant = 'y'.repeat(19_990_000)
     one.append('b', textPayload(giant))
     one.append('b', textPayload('z'.repeat(19_990_000)))
     one.append('b', textPayload('z'))
     const after = used() - 20_000_000 * 2
     console.log(JSON.stringify({ full: full - empty, many: many - empty, after: after - empty, kept: one.kept }))`,
    ['--expose-gc'],
  )
  t.equal(result.code, 0)
  const { full, many, after, kept } = JSON.parse(result.output)
  t.equal(kept.channels, 1)
  t.ok(full > 8_000_000, `40,000 messages take ${full} bytes`)
  t.ok(many < full * 3, `as many again in as many channels take their place: ${many}`)
  t.ok(after < full / 10, `once they are trimmed, ${after} bytes are left`)
})

t.test('one turn’s messages reach a live member in one delivery', async (t) => {
  const log = makeLog(t)
  const heard: string[] = []
  const listen = (name: string, channels: string[]) =>
    log.groups
      .of(channels)
      .join(memberOf((after) => heard.push(`${name} ${after} ${seqs(log, channels, after)}`)))
  say(log, 'a')
  listen('A', ['a'])
  listen('AB', ['a', 'b'])
  listen('A2', ['a'])
  t.equal(log.groups.watching, 3)
  say(log, 'c')
  say(log, 'a')
  say(log, 'b')
  say(log, 'a')
  t.strictSame(heard, [], 'not within the publisher’s own turn')
  await turn()
  t.strictSame(heard, ['A 2 3,5', 'A2 2 3,5', 'AB 2 3,4,5'])
  await turn()
  t.equal(heard.length, 3)
})

t.test('a burst larger than the retention makes no gap for a live member', async (t) => {
  const log = makeLog(t, { messages: 2 })
  const group = log.groups.of(['a'])
  const heard: number[] = []
  const gaps: unknown[] = []
  group.join(
    memberOf((after) => {
      const gap = group.gapAfter(after)
      if (gap) gaps.push(gap)
      heard.push(...seqs(log, ['a'], after))
    }),
  )
  for (let i = 0; i < 7; i++) say(log, 'a')
  await turn()
  t.strictSame(heard, [1, 2, 3, 4, 5, 6, 7])
  t.strictSame(gaps, [])
  t.equal(log.kept.messages, 2)
})

t.test('close hands out what waits, also from within a delivery', async (t) => {
  const log = makeLog(t)
  const heard: number[] = []
  for (const name of ['a', 'b']) {
    log.groups.of([name]).join(
      memberOf((after) => {
        heard.push(...seqs(log, [name], after))
        log.close()
      }),
    )
  }
  say(log, 'a')
  say(log, 'b')
  log.close()
  t.strictSame(heard, [1, 2])
  log.close()
  t.strictSame(heard, [1, 2])
})

t.test('a replay up to a place leaves what was read for others', async (t) => {
  const log = makeLog(t)
  for (let i = 0; i < 20; i++) say(log, 'a', `${i}`)
  const channels = ['a']
  const batch = log.read(channels, 0, ALL)
  for (let until = 1; until <= 20; until++) log.read(['a'], 0, { ...ALL, until })
  t.equal(log.read(channels, 0, ALL), batch)
})
