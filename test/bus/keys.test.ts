import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { checkKey, Keys } from '../../bus/keys.ts'
import { bytesPayload, jsonPayload, textPayload } from '../../bus/payload.ts'

const one = textPayload('1')

t.test('a key is a string of 1 to 128 characters', async (t) => {
  for (const key of ['k', ' ', '\0', 'ü'.repeat(128)]) t.equal(checkKey(key), key)
  for (const key of ['', 'k'.repeat(129), undefined, null, 7, ['k']]) {
    t.throws(() => checkKey(key), { code: 'TIDINGS_ERR_KEY', statusCode: 400, message: /Idempotency-Key/ })
  }
})

t.test('a key is known in its channel, with its payload', async (t) => {
  const keys = new Keys(10, 60_000)
  t.equal(keys.find('a', 'k', one), undefined)
  t.equal(keys.size, 0, 'asking remembers nothing')
  keys.remember('a', 'k', one, { seq: 7, time: 70 })
  t.match(keys.find('a', 'k', textPayload('1')), { seq: 7, time: 70 })
  t.equal(keys.find('b', 'k', one), undefined, 'another channel')
  t.equal(keys.find('a', 'K', one), undefined, 'another key')
  t.equal(keys.find('a', 'k k', one), undefined)
  t.equal(keys.size, 1)
})

t.test('another payload is refused, also one that only looks the same', async (t) => {
  const keys = new Keys(10, 60_000)
  const reused = { code: 'TIDINGS_ERR_KEY_REUSED', statusCode: 422 }
  keys.remember('a', 'k', jsonPayload('"MQ=="'), { seq: 1, time: 1 })
  t.throws(() => keys.find('a', 'k', one), reused)
  t.throws(() => keys.find('a', 'k', textPayload('MQ==')), reused)
  t.throws(() => keys.find('a', 'k', bytesPayload(Buffer.from('1'))), reused)
  t.throws(() => keys.find('a', 'k', jsonPayload('"MQ==" ')), reused)
  t.match(keys.find('a', 'k', jsonPayload('"MQ=="')), { seq: 1 })
})

t.test('past the bound new keys are refused, known ones are not', async (t) => {
  const keys = new Keys(2, 60_000)
  keys.remember('a', 'k', one, { seq: 1, time: 1 })
  keys.remember('a', 'l', one, { seq: 2, time: 2 })
  t.throws(() => keys.find('a', 'm', one), { code: 'TIDINGS_ERR_KEYS_FULL', statusCode: 503 })
  t.match(keys.find('a', 'k', one), { seq: 1 })
  t.throws(() => new Keys(0, 60_000).find('a', 'k', one), { code: 'TIDINGS_ERR_KEYS_FULL' })
})

t.test('they are forgotten when their time is over, and make room', async (t) => {
  const keys = new Keys(2, 20)
  keys.remember('a', 'k', one, { seq: 1, time: 1 })
  keys.remember('a', 'l', one, { seq: 2, time: 2 })
  const start = performance.now()
  while (performance.now() - start <= 21) await wait(1)
  t.equal(keys.find('a', 'k', textPayload('another')), undefined)
  t.equal(keys.size, 0)
})
