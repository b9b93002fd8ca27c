import Fastify, { type FastifyRequest } from 'fastify'
import t from 'tap'
import tidings, { memoryBus, type TidingsOptions } from '../../../index.ts'
import { FAST, PLAIN } from '../../../routes/http/fast-path.ts'
import { settle as settleFor } from '../../../routes/http/settings.ts'
import { TRANSPORTS } from '../../../routes/transports.ts'

const settle = (given: TidingsOptions) => settleFor(given, TRANSPORTS)

t.test('the defaults', async (t) => {
  const { bus, transports, ...settings } = settle({})
  const { limits, origins, ...others } = settings
  t.strictSame([...transports], ['poll', 'longpoll', 'sse', 'ws'])
  t.equal(bus.log.head, 0)
  t.match(limits, { client: Function, readersPerClient: Infinity, framesPerSecond: Infinity })
  t.equal(limits.client({ ip: '192.0.2.1' } as FastifyRequest), '192.0.2.1')
  t.ok(origins)
  t.strictSame(others, {
    prefix: '',
    decorator: 'tidings',
    authorize: undefined,
    poll: { limit: 100, maxLimit: 1000, maxBytes: 1_048_576 },
    longpoll: { wait: 25, maxWait: 55 },
    heartbeat: { sse: 15_000, ws: 25_000 },
    compression: undefined,
    payloadLimit: 65_536,
    publish: false,
    stats: false,
    echo: false,
    path: FAST,
    maxReaders: 10_000,
    drain: 0,
    slowConsumer: { bytes: 1_048_576, timeout: 30_000 },
    logLevel: undefined,
  })
})

t.test('what is given stands', async (t) => {
  const bus = memoryBus()
  const given: TidingsOptions = {
    prefix: '/live',
    transports: ['ws', 'poll'],
    bus,
    poll: { limit: 1 },
    longpoll: { maxWait: 0 },
    heartbeat: { ws: 1 },
    compression: true,
    payloadLimit: 1,
    origins: ['https://a.example', 'http://b.example:8080', /x/, '*'],
    publish: true,
    stats: true,
    echo: true,
    maxReaders: 0,
    drain: 10_000,
    slowConsumer: { bytes: 1 },
    decorator: 'mine',
    logLevel: 'warn',
    authorize: () => true,
  }
  const settings = settle({ ...given, logSerializers: {} } as TidingsOptions)
  t.strictSame([...settings.transports], ['ws', 'poll'])
  t.strictSame(settings.compression, { threshold: 1024 })
  t.strictSame(settle({ compression: { threshold: 0 } }).compression, { threshold: 0 })
  t.equal(settle({ compression: false }).compression, undefined)
  t.strictSame(settings.poll, { limit: 1, maxLimit: 1000, maxBytes: 1_048_576 })
  t.strictSame(settings.longpoll, { wait: 25, maxWait: 0 })
  t.strictSame(settings.heartbeat, { sse: 15_000, ws: 1 })
  t.strictSame(settings.slowConsumer, { bytes: 1, timeout: 30_000 })
  for (const name of [
    'prefix',
    'bus',
    'payloadLimit',
    'publish',
    'stats',
    'echo',
    'maxReaders',
    'drain',
    'decorator',
    'logLevel',
    'authorize',
  ] as const) {
    t.equal(settings[name], given[name], name)
  }
})

t.test('the fast path is on unless it is turned off', async (t) => {
  t.equal(settle({ fastPath: true }).path, FAST)
  t.equal(settle({ fastPath: false }).path, PLAIN)
})

t.test('clients may publish wherever somebody is asked', async (t) => {
  t.equal(settle({ authorize: () => true }).publish, true)
  t.equal(settle({ authorize: () => true, publish: false }).publish, false)
})

t.test('a bad one is named', async (t) => {
  const rows: [string, object][] = [
    ['nonsense', { nonsense: 1 }],
    ['page', { page: true }],
    ['logFrames', { logFrames: true }],
    ['prefix', { prefix: 1 }],
    ['prefix', { prefix: null }],
    ['transports', { transports: 'ws' }],
    ['transports', { transports: ['ws', 'tcp'] }],
    ['transports', { transports: [null] }],
    ['bus', { bus: {} }],
    ['bus', { bus: null }],
    ['bus', { bus: { publish() {} } }],
    ['retention', { retention: null }],
    ['retention', { retention: 5 }],
    ['retention', { retention: {}, bus: memoryBus() }],
    ['retention.nonsense', { retention: { nonsense: 1 } }],
    ['retention.messages', { retention: { messages: 0 } }],
    ['retention.age', { retention: { age: '1h' } }],
    ['retention.bytes', { retention: { bytes: 0 } }],
    ['retention.channels', { retention: { channels: -1 } }],
    ['retention.keys', { retention: { keys: 1.5 } }],
    ['retention.keyAge', { retention: { keyAge: 0 } }],
    ['poll', { poll: 100 }],
    ['poll', { poll: [] }],
    ['poll.nonsense', { poll: { nonsense: 1 } }],
    ['poll.limit', { poll: { limit: 0 } }],
    ['poll.limit', { poll: { limit: '5' } }],
    ['poll.limit', { poll: { limit: null } }],
    ['poll.maxLimit', { poll: { maxLimit: Infinity } }],
    ['poll.maxBytes', { poll: { maxBytes: NaN } }],
    ['longpoll', { longpoll: null }],
    ['longpoll.wait', { longpoll: { wait: -1 } }],
    ['longpoll.maxWait', { longpoll: { maxWait: 3601 } }],
    ['limits', { limits: 5 }],
    ['limits.nonsense', { limits: { nonsense: 1 } }],
    ['limits.client', { limits: { client: 'ip' } }],
    ['limits.publish', { limits: { publish: true } }],
    ['limits.readersPerClient', { limits: { readersPerClient: -1 } }],
    ['limits.framesPerSecond', { limits: { framesPerSecond: 0 } }],
    ['compression', { compression: 'gzip' }],
    ['compression.level', { compression: { level: 9 } }],
    ['compression.threshold', { compression: { threshold: -1 } }],
    ['heartbeat.sse', { heartbeat: { sse: 0 } }],
    ['heartbeat.ws', { heartbeat: { ws: 2 ** 31 } }],
    ['payloadLimit', { payloadLimit: 0 }],
    ['payloadLimit', { payloadLimit: null }],
    ['payloadLimit', { payloadLimit: '64k' }],
    ['origins', { origins: '*' }],
    ['origins', { origins: ['example.com'] }],
    ['origins', { origins: ['https://example.com/'] }],
    ['origins', { origins: ['https://Example.com'] }],
    ['origins', { origins: ['https://example.com:443'] }],
    ['origins', { origins: ['null'] }],
    ['origins', { origins: [1] }],
    ['publish', { publish: 'yes' }],
    ['stats', { stats: 1 }],
    ['echo', { echo: null }],
    ['fastPath', { fastPath: 'no' }],
    ['maxReaders', { maxReaders: -1 }],
    ['maxReaders', { maxReaders: null }],
    ['drain', { drain: -1 }],
    ['drain', { drain: Infinity }],
    ['slowConsumer.bytes', { slowConsumer: { bytes: 0 } }],
    ['slowConsumer.timeout', { slowConsumer: { timeout: 0 } }],
    ['decorator', { decorator: '' }],
    ['decorator', { decorator: 1 }],
    ['logLevel', { logLevel: 'loud' }],
    ['logLevel', { logLevel: 1 }],
    ['authorize', { authorize: true }],
  ]
  for (const [name, options] of rows) {
    const error = { code: 'TIDINGS_ERR_OPTION', message: new RegExp(`^Option '${name}' `) }
    t.throws(() => settle(options), error, name)
  }
})

t.test('the message says what is expected, and what was given', async (t) => {
  const rows: [object, string][] = [
    [
      { payloadLimit: '64k' },
      "Option 'payloadLimit' must be a whole number of bytes, 1 or more; it is '64k'",
    ],
    [
      { longpoll: { wait: [] } },
      "Option 'longpoll.wait' must be a whole number of seconds, from 0 to 3600; it is an array",
    ],
    [{ echo: 1 }, "Option 'echo' must be true or false; it is 1"],
    [
      { poll: { max: 1 } },
      "Option 'poll.max' is not an option of fastify-tidings; limit, maxLimit, maxBytes are",
    ],
  ]
  for (const [options, message] of rows) t.throws(() => settle(options), { message })
})

t.test('it is said when the plugin is registered', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => void (await app.register(tidings, { maxReaders: -1 })), {
    code: 'TIDINGS_ERR_OPTION',
    message: /'maxReaders'/,
  })
})
