import t from 'tap'
import { type MemoryBusOptions, memoryBus } from '../../bus/memory.ts'
import { textPayload } from '../../bus/payload.ts'
import { busSuite } from '../bus.suite.ts'

busSuite(t, 'memory bus', (limits) => memoryBus(limits))

t.test('its options are checked', async (t) => {
  const cases: [options: unknown, message: RegExp][] = [
    [null, /'retention' must be an object; it is null/],
    [[], /'retention' must be an object; it is an array/],
    ['1', /'retention' must be an object; it is '1'/],
    [
      { message: 1 },
      /'retention\.message' is not an option of fastify-tidings; messages, age, bytes, channels, rules, keys, keyAge are/,
    ],
    [{ messages: 0 }, /'retention\.messages' must be a whole number of messages, 1 or more; it is 0/],
    [{ messages: 1.5 }, /'retention\.messages'/],
    [{ messages: Infinity }, /'retention\.messages'/],
    [{ messages: '1' }, /'retention\.messages' .*it is '1'/],
    [{ age: 0 }, /'retention\.age' must be a whole number of milliseconds, 1 or more, or Infinity; it is 0/],
    [{ bytes: -1 }, /'retention\.bytes'/],
    [{ channels: NaN }, /'retention\.channels'/],
    [{ keys: -1 }, /'retention\.keys'/],
    [{ keyAge: 0 }, /'retention\.keyAge'/],
    [{ rules: [] }, /'retention\.rules' must be an object; it is an array/],
    [{ rules: { 'a b': {} } }, /'retention\.rules\['a b'\]' must be the name of a channel/],
    [{ rules: { a: 1 } }, /'retention\.rules\['a'\]' must be an object; it is 1/],
    [{ rules: { a: { message: 1 } } }, /'retention\.rules\['a'\]\.message'/],
    [{ rules: { a: { messages: 0 } } }, /'retention\.rules\['a'\]\.messages' must be a whole number/],
    [{ rules: { a: { age: 0 } } }, /'retention\.rules\['a'\]\.age'/],
  ]
  for (const [options, message] of cases) {
    t.throws(() => memoryBus(options as MemoryBusOptions), { code: 'TIDINGS_ERR_OPTION', message })
  }
  for (const options of [undefined, {}, { age: Infinity }, { channels: 0, keys: 0 }, { messages: 1 }]) {
    await memoryBus(options).close()
  }
})

t.test('retention is the log’s', async (t) => {
  const bus = memoryBus({ messages: 2 })
  t.teardown(() => bus.close())
  for (let i = 0; i < 5; i++) await bus.publish('a', textPayload(`${i}`))
  t.equal(bus.log.kept.messages, 2)
  t.equal(bus.log.floor(['a']), 3)
})
