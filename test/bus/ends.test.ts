import t from 'tap'
import { REOPEN, textPayload } from '../../bus/payload.ts'
import { Reader } from '../../bus/reader.ts'
import { subscribe } from '../../bus/subscribe.ts'
import { page } from '../../routes/poll/encoder.ts'
import { events } from '../../routes/sse/encoder.ts'
import { endFrame, frames, rawFrames } from '../../routes/ws/encoder.ts'
import { end, makeLog, Recorder, say, turn } from './fixture.ts'

const ALL = { limit: 10_000, bytes: 1e9 }
const LIVE = new AbortController().signal

t.test('an end has a place, and holds from there on', async (t) => {
  const log = makeLog(t)
  say(log, 'a')
  say(log, 'b')
  t.equal(end(log, 'a'), 3)
  say(log, 'b')
  const ended = (after: number, limit = 100) => log.read(['a', 'b'], after, { ...ALL, limit }).ended
  t.strictSame(ended(0), ['a'])
  t.strictSame(ended(0, 2), [], 'not before its place')
  t.strictSame(ended(0, 3), ['a'])
  t.strictSame(ended(4), ['a'])
  t.strictSame(log.read(['b'], 0, ALL).ended, [])
  t.strictSame(
    log.endsAt(['a', 'b'], 2).map(({ seq }) => seq),
    [],
  )
  t.strictSame(
    log.endsAt(['a', 'b'], 3).map(({ seq }) => seq),
    [3],
  )
  end(log, 'b')
  t.strictSame(ended(0), ['a', 'b'])
})

t.test('what stands behind an end reopens its channel', async (t) => {
  for (const payload of [REOPEN, textPayload('more')]) {
    const log = makeLog(t)
    say(log, 'a')
    end(log, 'a')
    const { kept } = log
    log.append('a', payload)
    t.equal(log.endOf('a'), undefined)
    t.equal(log.head, 3)
    const batch = log.read(['a'], 0, ALL)
    t.strictSame(
      batch.entries.map(({ seq }) => seq),
      payload === REOPEN ? [1] : [1, 3],
      'an end without data is not there any more',
    )
    t.strictSame(batch.ended, [])
    t.equal(log.gapAfter(0, ['a']), undefined, 'and nothing is missing')
    if (payload === REOPEN) t.ok(log.kept.bytes < kept.bytes && log.kept.messages === 1)
  }
  const log = makeLog(t)
  end(log, 'a', 'last')
  log.append('a', REOPEN)
  const text = String(log.read(['a'], 0, ALL).as(page))
  t.match(JSON.parse(text), { messages: [{ data: 'last', end: undefined }], ended: undefined })
})

t.test('a channel that had nothing but its end is empty once it is reopened', async (t) => {
  const log = makeLog(t)
  end(log, 'a')
  t.equal(log.kept.channels, 1)
  log.append('a', REOPEN)
  t.strictSame([log.kept.channels, log.kept.messages], [0, 0])
  log.append('a', REOPEN)
  say(log, 'a')
  t.strictSame([log.kept.channels, log.kept.messages, log.head], [1, 1, 4])
})

t.test('an end is trimmed like a message', async (t) => {
  const log = makeLog(t, { messages: 1 })
  say(log, 'a')
  end(log, 'a')
  t.strictSame(log.read(['a'], 1, ALL).ended, ['a'])
  t.strictSame(log.gapAfter(0, ['a']), { reason: 'trimmed', seq: 1 })
  const aged = makeLog(t, { age: 1 })
  end(aged, 'a')
  while (aged.endOf('a') !== undefined) await new Promise((resolve) => setTimeout(resolve, 5))
  t.strictSame(aged.gapAfter(0, ['a']), { reason: 'trimmed', seq: 1 })
})

t.test('ends and reopenings give back all the bytes that they take', async (t) => {
  const log = makeLog(t)
  say(log, 'a')
  const seen = new Set<number>()
  for (let i = 0; i < 100; i++) {
    end(log, 'a')
    log.append('a', REOPEN)
    seen.add(log.kept.bytes)
  }
  t.equal(seen.size, 1)
})

t.test('every form of an end', async (t) => {
  const log = makeLog(t)
  end(log, 'a')
  end(log, 'b', 'x"\n')
  const batch = log.read(['a', 'b'], 0, ALL)
  const [a, b] = [log.cursor(1), log.cursor(2)]
  const { messages, ended } = JSON.parse(String(batch.as(page)))
  t.strictSame(ended, ['a', 'b'])
  t.strictSame(messages, [{ cursor: b, channel: 'b', time: messages[0].time, data: 'x"\n', end: true }])
  t.equal(batch.messages, 0)
  const [bare, full] = [`"channel":"a","cursor":"${a}"`, `"channel":"b","cursor":"${b}","data":"x\\"\\n"`]
  t.equal(
    batch.as(events).toString(),
    `event: end\ndata: {${bare}}\nid: ${a}\n\nevent: end\ndata: {${full}}\nid: ${b}\n\n`,
  )
  t.match(batch.as(frames).toString(), `{"type":"end",${bare}}`)
  t.match(batch.as(frames).toString(), `{"type":"end",${full}}`)
  t.strictSame(batch.as(rawFrames), Buffer.from('\x81\x03x"\n', 'latin1'))
  t.equal(log.read(['a'], 0, ALL).as(rawFrames).length, 0)
  t.equal(endFrame(log.endOf('b')!, log.cursor(9)), `{"type":"end",${full.replace(b, log.cursor(9))}}`)
})

t.test('a reader is told an end at its place, and once that all have ended', async (t) => {
  const log = makeLog(t)
  say(log, 'a')
  const sink = new Recorder()
  const reader = new Reader(log, ['a', 'b'], 'earliest', sink)
  reader.resume()
  t.strictSame(sink.take(), [1])
  end(log, 'a')
  await turn()
  t.strictSame(sink.take(), ['end a 2'])
  say(log, 'b')
  end(log, 'b')
  await turn()
  t.strictSame(sink.take(), [3, 'end b 4', 'finished'])
  reader.end()
})

t.test('a reader that starts behind an end is told of it', async (t) => {
  const log = makeLog(t, { messages: 3 })
  end(log, 'a', 'x')
  say(log, 'b')
  for (const start of ['now', { epoch: log.epoch, seq: 1 }, { last: 1 }] as const) {
    const sink = new Recorder()
    const reader = new Reader(log, ['a', 'b'], start, sink)
    reader.resume()
    const got = { now: ['end a at 2'], '1': ['end a at 1', 2], last: ['end a 1', 2] }
    t.strictSame(sink.take(), typeof start === 'string' ? got.now : 'seq' in start ? got[1] : got.last)
    reader.end()
  }
  const sink = new Recorder()
  const reader = new Reader(log, ['a'], 'now', sink)
  reader.resume()
  t.strictSame(sink.take(), ['end a at 2', 'finished'])
  reader.end()
  t.equal(log.groups.watching, 0)
})

t.test('a hole that an end stands in does not hide it', async (t) => {
  const log = makeLog(t, { messages: 2 })
  end(log, 'a')
  for (let i = 0; i < 4; i++) say(log, 'b')
  const sink = new Recorder()
  const reader = new Reader(log, ['a', 'b'], { epoch: log.epoch, seq: 0 }, sink)
  reader.resume()
  t.strictSame(sink.take(), ['trimmed 3', 'end a at 3', 4, 5])
  reader.end()
})

t.test('the end of a channel that a reader adds', async (t) => {
  const log = makeLog(t)
  say(log, 'a')
  say(log, 'c')
  end(log, 'c')
  for (const [start, told] of [
    ['earliest', [2, 'end c 3']],
    ['now', ['end c at 3']],
  ] as const) {
    const sink = new Recorder()
    const reader = new Reader(log, ['a'], 'now', sink)
    reader.resume()
    reader.add('c', start, () => sink.got.push('done'))
    t.strictSame(sink.take(), [...told, 'done'])
    reader.end()
  }
})

t.test('an end that is reopened before it was handed out is told to nobody', async (t) => {
  const log = makeLog(t)
  const sink = new Recorder()
  const reader = new Reader(log, ['a'], 'now', sink)
  reader.resume()
  end(log, 'a')
  log.append('a', REOPEN)
  await turn()
  t.strictSame(sink.take(), [])
  say(log, 'a')
  await turn()
  t.strictSame(sink.take(), [3])
  reader.end()
})

t.test('a loop ends with its channels', async (t) => {
  const log = makeLog(t)
  const loop = async (cursor: string, channels = ['a', 'b']) => {
    const got: unknown[] = []
    const onEnd = (ended: object) => {
      const { time, ...members } = ended as { time: number }
      t.type(time, 'number')
      got.push(members)
    }
    for await (const { data } of subscribe({ log }, channels, { cursor, onEnd }, LIVE)) got.push(data)
    return got
  }
  const live = loop('now')
  say(log, 'a', '1')
  await turn()
  end(log, 'a', 'last')
  await turn()
  say(log, 'b', '2')
  end(log, 'b')
  const [a, b] = [
    { cursor: log.cursor(2), channel: 'a', data: 'last' },
    { cursor: log.cursor(4), channel: 'b' },
  ]
  t.strictSame(await live, ['1', a, '2', b])
  t.strictSame(await loop('earliest'), ['1', a, '2', b])
  t.strictSame(await loop('now'), [a, b])
  t.strictSame(await loop(log.cursor(2)), [a, '2', b])
  t.strictSame(await loop('last:1', ['a']), [a])
})

t.test('a loop without a channel has none that ends', async (t) => {
  const ending = new AbortController()
  const next = subscribe({ log: makeLog(t) }, [], {}, ending.signal).next()
  await turn()
  ending.abort()
  t.strictSame(await next, { value: undefined, done: true })
})
