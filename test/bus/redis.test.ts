import { Redis } from 'ioredis'
import { createClient } from 'redis'
import t from 'tap'
import type { Host } from '../../bus/bus.ts'
import { type RedisBusOptions, redisBus } from '../../bus/redis.ts'
import { busSuite } from '../bus.suite.ts'
import { NO_FILE, needsRedis, RedisServer } from '../redis/server.ts'

const HOST: Host = { patience: 9_500, warn: () => {} }

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
