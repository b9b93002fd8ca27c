import fc from 'fast-check'
import t from 'tap'
import { DELETE } from '../../bus/payload.ts'
import { Reader } from '../../bus/reader.ts'
import { build } from '../helper.ts'
import { makeLog, Recorder, say, turn } from './fixture.ts'

const ALL = { limit: 10_000, bytes: 1e9 }

t.test('the rule of a channel', async (t) => {
  const rules = {
    exact: { messages: 1 },
    'p.': { messages: 2 },
    'p.q.': { messages: 3 },
    'p.q.r': { messages: 4 },
    'audit:': { age: 1e9 },
  }
  const log = makeLog(t, { messages: 5, rules })
  for (const [channel, kept] of [
    ['exact', 1],
    ['exactly', 5],
    ['p', 5],
    ['p.', 2],
    ['p.x', 2],
    ['p.q', 2],
    ['p.q.', 3],
    ['p.q.x', 3],
    ['p.q.r', 4],
    ['p.q.rs', 3],
    ['audit:x', 5],
    ['other', 5],
  ] as const) {
    for (let i = 0; i < 7; i++) say(log, channel)
    t.equal(log.read([channel], log.floor([channel]), ALL).entries.length, kept, channel)
  }
})

t.test('each rule has an age of its own', async (t) => {
  const log = makeLog(t, { age: 20, rules: { 'long.': { age: Infinity }, 'longer.': { age: 1e6 } } })
  say(log, 'long.a')
  say(log, 'short')
  say(log, 'longer.a')
  say(log, 'short')
  while (log.kept.messages > 2) await new Promise((resolve) => setTimeout(resolve, 5))
  t.strictSame(
    log.read(['long.a', 'longer.a', 'short'], 4, ALL).entries,
    [],
    'those that wait do not hold up the others',
  )
  t.strictSame([log.floor(['short']), log.floor(['long.a']), log.floor(['longer.a'])], [4, 0, 0])
  t.strictSame(
    log.read(['long.a', 'longer.a'], 0, ALL).entries.map(({ seq }) => seq),
    [1, 3],
  )
})

t.test('past the bytes the oldest of all goes first, whatever its rule', async (t) => {
  const log = makeLog(t, { bytes: 4000, rules: { 'a.': { age: Infinity }, 'b.': { messages: 100 } } })
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a.1', 'a.2', 'b.1', 'c'), { minLength: 1, maxLength: 60 }),
      (names) => {
        for (const name of names) say(log, name, 'x'.repeat(50))
        const entries = log.read(
          ['a.1', 'a.2', 'b.1', 'c'],
          log.floor(['a.1', 'a.2', 'b.1', 'c']),
          ALL,
        ).entries
        const seqs = entries.map(({ seq }) => seq)
        const from = log.head - seqs.length + 1
        t.ok(log.kept.bytes <= 4000)
        return seqs.every((seq, i) => seq === from + i) && log.oldest?.seq === from
      },
    ),
    { numRuns: 30 },
  )
})

t.test('live readers of a channel that is deleted', async (t) => {
  const log = makeLog(t)
  const [live, late] = [new Recorder(), new Recorder()]
  const reader = new Reader(log, ['a'], 'now', live)
  reader.resume()
  say(log, 'a')
  log.append('a', DELETE)
  t.strictSame(live.take(), [1], 'it has got what was there')
  const other = new Reader(log, ['a'], { epoch: log.epoch, seq: 0 }, late)
  other.resume()
  t.strictSame(late.take(), ['trimmed 1'])
  say(log, 'a')
  await turn()
  t.strictSame([live.take(), late.take()], [[3], [3]])
  log.append('never', DELETE)
  t.strictSame([log.head, log.kept.channels], [4, 1])
  reader.end()
  other.end()
})

t.test('over the wire', async (t) => {
  const { app, url } = await build(t, { retention: { rules: { 'prices.': { messages: 1 } } } })
  for (let i = 0; i < 5; i++) await app.tidings.publish('prices.eur', i)
  const poll = async (cursor: string) =>
    (await fetch(`${url}/poll?channel=prices.eur&cursor=${cursor}`)).status
  t.match(await (await fetch(`${url}/poll?channel=prices.eur&cursor=last:9`)).json(), {
    messages: [{ data: 4 }],
  })
  await app.tidings.delete('prices.eur')
  t.equal(await poll('last:1'), 204)
  t.equal(await poll(app.tidings.bus.log.cursor(4)), 410)
  await t.rejects(app.tidings.delete('no name'), { code: 'TIDINGS_ERR_CHANNEL' } as never)
})
