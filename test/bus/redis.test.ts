import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import t, { type Test } from 'tap'
import type { Host } from '../../bus/bus.ts'
import { textPayload } from '../../bus/payload.ts'
import { type RedisBusOptions, redisBus } from '../../bus/redis.ts'
import { busSuite } from '../bus.suite.ts'
import { ALWAYS, NO_FILE, needsRedis, RedisServer } from '../redis/server.ts'
import { memberOf, turn } from './fixture.ts'

const HOST: Host = { patience: 100_000, warn: () => {} }

let count = 0

/** A prefix that no other bus has. */
function prefix(): string {
  return `p${++count}`
}

async function open(options: RedisBusOptions) {
  const bus = redisBus(options)
  await bus.open!(HOST)
  return bus
}

if (needsRedis(t)) {
  const { url } = await RedisServer.start(t, NO_FILE)
  busSuite(t, 'redis bus', (retention) => open({ url, prefix: prefix(), retention: retention ?? {} }))

  const nodeRedis = createClient({ url })
  const ioredis = new Redis(url, { lazyConnect: true })
  for (const [name, client] of Object.entries({ 'node-redis': nodeRedis, ioredis })) {
    busSuite(t, `redis bus with ${name}`, (retention) =>
      open({ client, prefix: prefix(), retention: retention ?? {} }),
    )
  }
}

/** A server that answers INFO as it is told, and all else with OK. */
async function fakeServer(t: Test, info: () => string): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (part) => {
      const text = info()
      const reply = /INFO/i.test(part.toString()) ? `$${text.length}\r\n${text}\r\n` : '+OK\r\n'
      socket.write(reply)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
}

setFlagsFromString('--expose_gc')
const collect: () => void = runInNewContext('gc')

/** It does not open, and says why in one line that matches. */
async function refuses(t: Test, options: RedisBusOptions, message: RegExp): Promise<void> {
  const bus = redisBus(options)
  await t.rejects(bus.open!(HOST), { code: 'TIDINGS_ERR_ENGINE', message } as never)
  await t.rejects(bus.publish('c', textPayload('x')), { code: 'TIDINGS_ERR_CLOSED' } as never)
}

t.test('its options are checked', async (t) => {
  const cases: [options: unknown, message: RegExp][] = [
    [{}, /'url' or 'client' is required, but not both/],
    [{ url: 'redis://a', client: {} }, /'url' or 'client' is required, but not both/],
    [{ url: 'http://a' }, /'url' must begin with redis:\/\/ or rediss:\/\//],
    [{ url: 7 }, /'url' .*it is 7/],
    [{ client: {} }, /'client' must be a client of redis \(node-redis\), ioredis or iovalkey/],
    [{ client: null }, /'client' must be/],
    [{ url: 'redis://a', prefix: '' }, /'prefix' must have 1 to 64 characters/],
    [{ url: 'redis://a', prefix: 'a{b' }, /'prefix'/],
    [{ url: 'redis://a', retention: { messages: 0 } }, /'retention\.messages'/],
    [{ url: 'redis://a', host: 'b' }, /'redisBus\.host'/],
  ]
  for (const [options, message] of cases) {
    t.throws(() => redisBus(options as RedisBusOptions), { code: 'TIDINGS_ERR_OPTION', message })
  }
})

t.test('a server that is too old', async (t) => {
  const url = await fakeServer(t, () => 'redis_version:6.2.14\r\nloading:0\r\n')
  await refuses(t, { url }, /^Redis at 127\.0\.0\.1:\d+ is version 6\.2\.14: 7\.0 or later is required$/)
})

t.test('one that is loading is waited for', async (t) => {
  let asked = 0
  const info = () =>
    ++asked < 4 ? 'redis_version:7.2.0\r\nloading:1\r\n' : 'redis_version:6.0.0\r\nloading:0\r\n'
  const url = await fakeServer(t, info)
  await refuses(t, { url }, /is version 6\.0\.0/)
  t.equal(asked, 4)
})

t.test('nobody there', async (t) => {
  await refuses(t, { url: 'redis://127.0.0.1:1' }, /^Redis at 127\.0\.0\.1:1 is unreachable: .*ECONNREFUSED/)
})

if (needsRedis(t)) {
  t.test('one that answers nothing', async (t) => {
    const server = await RedisServer.start(t, NO_FILE)
    server.freeze()
    // Node collects a signal that AbortSignal.any made of a timeout: the timeout must not hang on one.
    const collecting = setInterval(collect, 100)
    t.teardown(() => clearInterval(collecting))
    await refuses(t, { url: server.url }, /is unreachable: no response within 5000 ms/)
    server.thaw()
  })

  t.test('one that evicts keys', async (t) => {
    const { url } = await RedisServer.start(t, { ...NO_FILE, 'maxmemory-policy': 'allkeys-lru' })
    await refuses(t, { url }, /evicts keys \(maxmemory-policy allkeys-lru\)/)
  })

  t.test(
    'a user with the least permissions will do, and one with less is told which are missing',
    async (t) => {
      const server = await RedisServer.start(t, NO_FILE)
      const acl = (name: string, rules: string) =>
        server.call('ACL', 'SETUSER', name, 'on', '>pw', ...rules.split(' '))
      const least = readFileSync('docs/scaling.md', 'utf8').match(
        /^ACL SETUSER tidings on >password (.+)$/m,
      )![1]!
      await acl('least', least)
      await acl('less', `${least} -xtrim -zadd`)
      await acl('elsewhere', least.replace('{tidings}', '{other}'))
      await acl('none', '~* +info')
      const url = (name: string) => server.url.replace('//', `//${name}:pw@`)
      const bus = await open({ url: url('least'), retention: { messages: 2 } })
      bus.log.groups.of(['c']).join(memberOf(() => {}))
      for (let i = 0; i < 5; i++) await bus.publish('c', textPayload(`${i}`), `${i}`)
      while (Number(await server.call('ZSCORE', '{tidings}:floors', 'c')) < 3) await turn()
      while ((await server.call('EXISTS', '{tidings}:instances')) === 0) await turn()
      for (const key of [
        'instances',
        `readers:${await server.call('ZRANGE', '{tidings}:instances', 0, 0)}`,
      ]) {
        const left = Number(await server.call('PTTL', `{tidings}:${key}`))
        t.ok(left > 0 && left <= 15_000, `${key} expires with the last report: in ${left} ms`)
      }
      t.match(await bus.occupancy!('c'), { readers: 1 })
      await bus.close()
      await refuses(t, { url: url('less') }, /denies XTRIM, ZADD on \{tidings\}:\*: grant them to this user$/)
      await refuses(t, { url: url('elsewhere') }, /denies a required permission: NOPERM .*key/)
      await refuses(t, { url: url('none') }, /denies a required permission: NOPERM .*evalsha/)
      await refuses(t, { url: url('nobody') }, /denies a required permission: WRONGPASS/)
    },
  )

  t.test('without an append-only file it warns, once', async (t) => {
    const server = await RedisServer.start(t, NO_FILE)
    const warnings: string[] = []
    const host = { ...HOST, warn: (message: string) => warnings.push(message) }
    const bus = redisBus({ url: server.url })
    t.teardown(() => bus.close())
    await Promise.all([bus.open!(host), bus.open!(host)])
    t.match(warnings, [/^Redis at 127\.0\.0\.1:\d+ keeps no append-only file/])
    t.equal(warnings.length, 1)
    const kept = await RedisServer.start(t, ALWAYS)
    const other = redisBus({ url: kept.url })
    t.teardown(() => other.close())
    await other.open!(host)
    t.equal(warnings.length, 1)
  })
}
