import type { Bus } from './bus.ts'
import { checkKnown, show } from './check.ts'
import { ERR_OPTION } from './errors.ts'
import { connectLike, connectTo, type RedisClient } from './redis/clients.ts'
import { RedisEngine } from './redis/engine.ts'
import { type SharedRetention, sharedBus } from './shared/shared-bus.ts'

export type { RedisClient } from './redis/clients.ts'
export type { SharedRetention } from './shared/shared-bus.ts'

export interface RedisBusOptions {
  /** The URL of Redis: `redis://user:password@host:6379/0`, or `rediss://` for TLS. Requires the package `redis`. */
  url?: string
  /** A client of node-redis, ioredis or iovalkey, instead of `url`. The bus duplicates it and never uses it itself. */
  client?: RedisClient
  /** The hash tag of all keys. Buses with different prefixes are independent. @default 'tidings' */
  prefix?: string
  /** Limits of the log. They must be equal for all instances. */
  retention?: SharedRetention
}

const PREFIX = /^[^\s{}]{1,64}$/

/**
 * Creates a bus whose log is kept by Redis, and shared by all processes with the same prefix.
 * @throws TIDINGS_ERR_OPTION
 */
export function redisBus(options: RedisBusOptions): Bus {
  const known = checkKnown<RedisBusOptions>('redisBus', options, ['url', 'client', 'prefix', 'retention'])
  const { url, client, prefix = 'tidings', retention } = known
  if ((url === undefined) === (client === undefined)) {
    throw new ERR_OPTION('url', "or 'client' is required, but not both")
  }
  if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
    throw new ERR_OPTION(
      'prefix',
      `must have 1 to 64 characters, without spaces or braces; it is ${show(prefix)}`,
    )
  }
  const connect = url === undefined ? connectLike(client) : connectTo(checkUrl(url))
  const name = url === undefined ? 'Redis' : `Redis at ${new URL(url).host}`
  return sharedBus(
    ({ keys, keyAge, bytes }) =>
      new RedisEngine(name, connect, prefix, { keys, keyAge, keyBytes: bytes / 2 }),
    retention,
  )
}

function checkUrl(url: unknown): string {
  if (typeof url === 'string' && URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol)) return url
  throw new ERR_OPTION(
    'url',
    `must begin with redis:// or rediss://; it is ${typeof url === 'string' ? 'another URL' : show(url)}`,
  )
}
