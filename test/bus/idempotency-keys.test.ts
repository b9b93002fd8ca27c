import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { checkKey, checkPublisher, IdempotencyKeys, keyName } from '../../bus/idempotency-keys.ts'
import { bytesPayload, jsonPayload, textPayload } from '../../bus/payload.ts'

const one = textPayload('1')

t.test('a key is a string of 1 to 128 characters', async (t) => {
  for (const key of ['k', ' ', '\0', 'ü'.repeat(128)]) t.equal(checkKey(key), key)
  for (const key of ['', 'k'.repeat(129), undefined, null, 7, ['k']]) {
    t.throws(() => checkKey(key), { code: 'TIDINGS_ERR_KEY', statusCode: 400, message: /Idempotency-Key/ })
  }
})

t.test('a key is known in its channel, with its payload', async (t) => {
  const keys = new IdempotencyKeys(10, 60_000)
  t.equal(keys.find(keyName('a', 'k'), one), undefined)
  t.equal(keys.size, 0, 'asking remembers nothing')
  keys.remember(keyName('a', 'k'), one, { epoch: 'abcd', seq: 7, time: 70 })
  t.match(keys.find(keyName('a', 'k'), textPayload('1')), { epoch: 'abcd', seq: 7, time: 70 })
  t.equal(keys.find(keyName('b', 'k'), one), undefined, 'another channel')
  t.equal(keys.find(keyName('a', 'K'), one), undefined, 'another key')
  t.equal(keys.find(keyName('a', 'k k'), one), undefined)
  t.equal(keys.size, 1)
})

t.test('another payload is refused, also one that only looks the same', async (t) => {
  const keys = new IdempotencyKeys(10, 60_000)
  const reused = { code: 'TIDINGS_ERR_KEY_REUSED', statusCode: 422 }
  keys.remember(keyName('a', 'k'), jsonPayload('"MQ=="'), { epoch: 'abcd', seq: 1, time: 1 })
  t.throws(() => keys.find(keyName('a', 'k'), one), reused)
  t.throws(() => keys.find(keyName('a', 'k'), textPayload('MQ==')), reused)
  t.throws(() => keys.find(keyName('a', 'k'), bytesPayload(Buffer.from('1'))), reused)
  t.throws(() => keys.find(keyName('a', 'k'), jsonPayload('"MQ==" ')), reused)
  t.match(keys.find(keyName('a', 'k'), jsonPayload('"MQ=="')), { seq: 1 })
})

t.test('past the bound new keys are refused, known ones are not', async (t) => {
  const keys = new IdempotencyKeys(2, 60_000)
  keys.remember(keyName('a', 'k'), one, { epoch: 'abcd', seq: 1, time: 1 })
  keys.remember(keyName('a', 'l'), one, { epoch: 'abcd', seq: 2, time: 2 })
  t.throws(() => keys.find(keyName('a', 'm'), one), { code: 'TIDINGS_ERR_KEYS_FULL', statusCode: 503 })
  t.match(keys.find(keyName('a', 'k'), one), { seq: 1 })
  t.throws(() => new IdempotencyKeys(0, 60_000).find(keyName('a', 'k'), one), {
    code: 'TIDINGS_ERR_KEYS_FULL',
  })
})

t.test('they are forgotten when their time is over, and make room', async (t) => {
  const keys = new IdempotencyKeys(2, 20)
  keys.remember(keyName('a', 'k'), one, { epoch: 'abcd', seq: 1, time: 1 })
  keys.remember(keyName('a', 'l'), one, { epoch: 'abcd', seq: 2, time: 2 })
  const start = performance.now()
  while (performance.now() - start <= 21) await wait(1)
  t.equal(keys.find(keyName('a', 'k'), textPayload('another')), undefined)
  t.equal(keys.size, 0)
})

t.test('one that is over may be remembered anew before it is forgotten', async (t) => {
  let bytes = 0
  const keys = new IdempotencyKeys(10_000, 50, Infinity, (more) => {
    bytes += more
  })
  let now = 1
  const { now: real } = performance
  performance.now = () => now
  t.teardown(() => {
    performance.now = real
  })
  for (let i = 0; i < 3000; i++) keys.remember(keyName('a', `${i}`), one, { epoch: 'abcd', seq: i, time: i })
  now = 52
  t.equal(keys.find(keyName('a', '2999'), textPayload('another')), undefined)
  keys.remember(keyName('a', '2999'), one, { epoch: 'abcd', seq: 7000, time: 7000 })
  while (keys.size > 1) keys.find(keyName('b', 'k'), one)
  t.match(keys.find(keyName('a', '2999'), one), { seq: 7000 })
  now = 200
  while (keys.size > 0) await wait(5)
  t.strictSame([keys.bytes, bytes], [0, 0])
})

t.test('a key costs the same, however many were forgotten before it', async (t) => {
  let now = 1
  const { now: real } = performance
  performance.now = () => now
  const keys = new IdempotencyKeys(1e6, 1000)
  t.teardown(() => {
    performance.now = real
    keys.close()
  })
  const finds = () => {
    const start = process.hrtime.bigint()
    for (let i = 0; i < 500; i++) keys.find(keyName('b', `${i}`), one)
    return Number(process.hrtime.bigint() - start)
  }
  for (let i = 0; i < 60_000; i++)
    keys.remember(keyName('a', `${i}`), one, { epoch: 'abcd', seq: i, time: i })
  now = 900
  for (let i = 60_000; i < 100_000; i++)
    keys.remember(keyName('a', `${i}`), one, { epoch: 'abcd', seq: i, time: i })
  finds()
  const before = Math.min(finds(), finds(), finds())
  now = 1100
  while (keys.size > 40_000) keys.find(keyName('b', 'k'), one)
  const after = Math.min(finds(), finds(), finds())
  t.ok(after < 20 * before, `${after} ns after ${before} ns`)
})

t.test('keys of different publishers never meet', async (t) => {
  const names = new Set<string>()
  const publishers = [undefined, 'a', 'a b', 'a b ', '1', '1:a', '3:a b', ':', ' ', '0:', 'a:1', 'é']
  const keys = ['c', 'b c', ' b c', ':c', '1:ac', 'a b c', '3:a bc', ' ', ':', 'x']
  const channels = ['a', '1', 'a:1', 'b']
  for (const channel of channels) {
    for (const publisher of publishers) for (const key of keys) names.add(keyName(channel, key, publisher))
  }
  t.equal(names.size, channels.length * publishers.length * keys.length)
  for (const name of ['', 'x'.repeat(257), 5, null, undefined]) {
    t.throws(() => checkPublisher(name), { code: 'TIDINGS_ERR_PUBLISHER' })
  }
  t.equal(checkPublisher('x'.repeat(256)).length, 256)
})
