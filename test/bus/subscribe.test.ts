import { getEventListeners } from 'node:events'
import t from 'tap'
import { GapError } from '../../bus/errors.ts'
import type { Log } from '../../bus/log.ts'
import { jsonPayload } from '../../bus/payload.ts'
import { type SubscribeOptions, subscribe } from '../../bus/subscribe.ts'
import { makeLog, say, turn } from './fixture.ts'

const never = new AbortController().signal

function loop(log: Log, channel: string | string[], options: SubscribeOptions = {}, closing = never) {
  return subscribe<unknown>({ log }, channel, options, closing)
}

/** The seqs of the next messages. */
async function take(messages: ReturnType<typeof loop>, count: number): Promise<number[]> {
  const seqs = []
  for (let i = 0; i < count; i++) {
    const { value } = await messages.next()
    seqs.push(Number(value!.cursor.split('.')[1]))
  }
  return seqs
}

const END = { value: undefined, done: true }

t.test('messages come in log order, with their data', async (t) => {
  const log = makeLog(t)
  say(log, 'b', 'text')
  const { time } = log.append('a', jsonPayload('{"n":1}'))
  const messages = loop(log, ['b', 'a', 'b'], { cursor: 'earliest' })
  t.match((await messages.next()).value, { cursor: log.cursor(1), channel: 'b', data: 'text' })
  t.strictSame((await messages.next()).value, { cursor: log.cursor(2), channel: 'a', time, data: { n: 1 } })
  const next = messages.next()
  say(log, 'c')
  say(log, 'b')
  t.equal((await next).value!.cursor, log.cursor(4))
  await messages.return!()
})

t.test('the start is taken when it is called', async (t) => {
  const log = makeLog(t)
  say(log, 'a')
  const now = loop(log, 'a')
  const after = loop(log, 'a', { cursor: log.cursor(1) })
  say(log, 'a')
  t.strictSame(await take(now, 1), [2])
  t.strictSame(await take(after, 1), [2])
  await now.return!()
  await after.return!()
})

t.test('a bad channel or cursor throws at once', async (t) => {
  const log = makeLog(t)
  t.throws(() => loop(log, ''), { code: 'TIDINGS_ERR_CHANNEL' })
  t.throws(() => loop(log, ['a', 'ä']), { code: 'TIDINGS_ERR_CHANNEL' })
  t.throws(() => loop(log, 'a', { cursor: 'latest' }), { code: 'TIDINGS_ERR_CURSOR' })
})

t.test('a gap throws', async (t) => {
  const log = makeLog(t, { messages: 2 })
  for (let i = 0; i < 4; i++) say(log, 'a')
  const cases: [cursor: string, reason: string, seq: number][] = [
    [log.cursor(1), 'trimmed', 2],
    [log.cursor(5), 'ahead', 4],
    ['other.4', 'epoch', 2],
  ]
  for (const [cursor, reason, seq] of cases) {
    const messages = loop(log, 'a', { cursor })
    const error = await messages.next().then(
      () => undefined,
      (error: unknown) => error,
    )
    t.ok(error instanceof GapError)
    t.match(error, { code: 'TIDINGS_ERR_GAP', statusCode: 410, reason, cursor: log.cursor(seq) })
    t.strictSame(await messages.next(), END, 'and ends it')
  }
})

t.test('with onGap it goes on from the gap’s cursor', async (t) => {
  const log = makeLog(t, { messages: 2 })
  for (let i = 0; i < 4; i++) say(log, 'a')
  const gaps: string[] = []
  const onGap = ({ reason, cursor }: GapError) => gaps.push(`${reason} ${cursor}`)
  const messages = loop(log, 'a', { cursor: log.cursor(0), onGap })
  t.strictSame(await take(messages, 2), [3, 4])
  for (let i = 0; i < 4; i++) say(log, 'a')
  t.strictSame(await take(messages, 2), [7, 8])
  t.strictSame(gaps, [`trimmed ${log.cursor(2)}`, `trimmed ${log.cursor(6)}`])
  await messages.return!()

  const controller = new AbortController()
  const failing = loop(log, 'a', {
    cursor: log.cursor(0),
    signal: controller.signal,
    onGap() {
      throw new Error('enough')
    },
  })
  await t.rejects(failing.next(), { message: 'enough' })
  t.strictSame(getEventListeners(controller.signal, 'abort'), [])
})

t.test('a slow loop is paused: the log is its buffer', async (t) => {
  const log = makeLog(t, { messages: 3 })
  const messages = loop(log, 'a', { cursor: 'earliest' })
  say(log, 'a')
  t.strictSame(await take(messages, 1), [1])
  t.equal(log.groups.watching, 0, 'while its body runs it does not listen')
  for (let i = 0; i < 10; i++) say(log, 'a')
  await turn()
  await t.rejects(
    messages.next(),
    Object.assign(new Error(), { reason: 'trimmed', cursor: log.cursor(8), message: /continue from/ }),
  )
})

t.test('a long replay gives others their turn', async (t) => {
  const log = makeLog(t)
  for (let i = 0; i < 350; i++) say(log, 'a')
  let turns = 0
  let running = true
  const count = () => {
    turns++
    if (running) setImmediate(count)
  }
  setImmediate(count)
  const messages = loop(log, 'a', { cursor: 'earliest' })
  const seqs = await take(messages, 350)
  running = false
  t.strictSame(
    seqs,
    Array.from({ length: 350 }, (_, i) => i + 1),
  )
  t.ok(turns >= 3)
  await messages.return!()
})

/** Ends in each way, with a loop that waits, one that is in its body, and one that was never asked. */
t.test('every end leaves nothing behind', async (t) => {
  for (const how of ['return', 'signal', 'closing'] as const) {
    for (const state of ['waiting', 'in its body', 'in a long replay', 'not asked yet', 'ended'] as const) {
      await t.test(`${how}, ${state}`, async (t) => {
        const log = makeLog(t)
        const user = new AbortController()
        const closing = new AbortController()
        for (let i = 0; i < 150; i++) say(log, 'a')
        const cursor = state === 'waiting' ? 'now' : 'earliest'
        const messages = loop(log, 'a', { cursor, signal: user.signal }, closing.signal)
        if (state === 'in its body') await messages.next()
        if (state === 'in a long replay') await take(messages, 100)
        if (state === 'ended') await messages.return!()
        const next = state === 'waiting' || state === 'in a long replay' ? messages.next() : undefined
        if (state === 'waiting') {
          await turn()
          t.equal(log.groups.watching, 1)
        }

        if (how === 'return') t.strictSame(await messages.return!(), END)
        else if (how === 'signal') user.abort(new Error('quietly'))
        else closing.abort()

        if (next !== undefined) t.strictSame(await next, END)
        t.strictSame(await messages.next(), END)
        t.strictSame(await messages.return!(), END, 'ending twice is harmless')
        t.equal(log.groups.watching, 0)
        t.strictSame(getEventListeners(user.signal, 'abort'), [])
        t.strictSame(getEventListeners(closing.signal, 'abort'), [])
      })
    }
  }
})

t.test('one that is never asked listens to nothing', async (t) => {
  const log = makeLog(t)
  const { signal } = new AbortController()
  loop(log, 'a', {}, signal)
  t.strictSame(getEventListeners(signal, 'abort'), [])
})

t.test('a signal that has aborted already', async (t) => {
  const log = makeLog(t)
  say(log, 'a')
  t.strictSame(await loop(log, 'a', { cursor: 'earliest', signal: AbortSignal.abort() }).next(), END)
  t.strictSame(await loop(log, 'a', { cursor: 'earliest' }, AbortSignal.abort()).next(), END)
})

t.test('breaking out of a loop ends it, and so does a throw in it', async (t) => {
  const log = makeLog(t)
  const { signal } = new AbortController()
  say(log, 'a')
  say(log, 'a')
  const got = []
  for await (const { cursor } of loop(log, 'a', { cursor: 'earliest', signal })) {
    got.push(cursor)
    break
  }
  t.strictSame(got, [log.cursor(1)])
  await t.rejects(
    async () => {
      for await (const message of loop(log, 'a', { cursor: 'earliest', signal }))
        throw new Error(message.channel)
    },
    { message: 'a' },
  )
  t.strictSame(getEventListeners(signal, 'abort'), [])
  t.equal(log.groups.watching, 0)
})

t.test('messages that come while it waits wake it once, with all of them', async (t) => {
  const log = makeLog(t)
  const messages = loop(log, 'a')
  const next = messages.next()
  await turn()
  for (let i = 0; i < 3; i++) say(log, 'a')
  t.equal((await next).value!.cursor, log.cursor(1))
  t.strictSame(await take(messages, 2), [2, 3])
  await messages.return!()
})
