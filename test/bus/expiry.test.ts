import t from 'tap'
import { until } from '../helper.ts'
import { makeLog, memberOf, say } from './fixture.ts'

/** The wall clock as somebody has set it, for one call. */
function at<T>(offset: number, call: () => T): T {
  const { now } = Date
  Date.now = () => now() + offset
  try {
    return call()
  } finally {
    Date.now = now
  }
}

t.test('a wall clock that is set makes no message older or younger', async (t) => {
  for (const offsets of [
    [3_600_000, 0],
    [0, -3_600_000],
    [-3_600_000, 3_600_000],
  ]) {
    const log = makeLog(t, { age: 100 })
    for (const offset of offsets) at(offset, () => say(log, 'a'))
    t.equal(log.kept.messages, 2)
    await new Promise(setImmediate)
    t.equal(log.kept.messages, 2, 'not at once')
    await until(() => log.kept.messages === 0)
    t.equal(log.floor(['a']), 2)
  }
})

t.test('what comes later stays longer', async (t) => {
  const log = makeLog(t, { age: 200 })
  say(log, 'a')
  const first = performance.now()
  await until(() => performance.now() - first > 100)
  say(log, 'b')
  await until(() => log.kept.messages < 2)
  t.ok(performance.now() - first >= 200)
  // A process that was stopped for so long finds both of age.
  if (log.kept.messages === 1) t.strictSame([log.floor(['a']), log.floor(['b'])], [1, 0])
  await until(() => log.kept.messages === 0)
  t.ok(performance.now() - first >= 300)
})

t.test('many that are over go in several turns', async (t) => {
  const log = makeLog(t, { age: 20 })
  for (let i = 0; i < 5000; i++) say(log, 'a')
  const heard: number[] = []
  log.groups.of(['a']).join(memberOf((after) => heard.push(after)))
  const seen = new Set<number>()
  while (log.kept.messages > 0) {
    seen.add(log.kept.messages)
    await new Promise(setImmediate)
  }
  t.ok(seen.size > 4, `${seen.size} steps`)
  say(log, 'a')
  await until(() => log.kept.messages === 0)
  t.strictSame(heard, [5000])

  const closed = makeLog(t, { age: 20 })
  for (let i = 0; i < 5000; i++) say(closed, 'a')
  await until(() => closed.kept.messages < 5000)
  closed.close()
  const left = closed.kept.messages
  await new Promise(setImmediate)
  t.equal(closed.kept.messages, left)
})
