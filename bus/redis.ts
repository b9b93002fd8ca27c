import type { Bus } from './bus.ts'
import { checkKnown, show } from './check.ts'
import { ERR_OPTION } from './errors.ts'
import { connectLike, connectTo, type RedisClient } from './redis/clients.ts'
import { RedisEngine } from './redis/engine.ts'
import { type SharedRetention, sharedBus } from './shared/shared-bus.ts'

export type { RedisClient } from './redis/clients.ts'
export type { SharedRetention } from './shared/shared-bus.ts'

export interface RedisBusOptions {
  /** Where Redis is: `redis://user:password@host:6379/0`, or `rediss://` for TLS. It needs the package `redis`. */
  url?: string
  /** In its place the app's own client, of node-redis, ioredis or iovalkey: it is duplicated, and never used itself. */
  client?: RedisClient
  /** What the names of all keys begin with, in braces. Buses of different prefixes never meet. @default 'tidings' */
  prefix?: string
  /** What the log keeps: the same for all instances. */
  retention?: SharedRetention
}

const PREFIX = /^[^\s{}]{1,64}$/

/**
 * A bus whose log is kept by Redis, and shared by all processes that name the same prefix.
 * @throws TIDINGS_ERR_OPTION
 */
export function redisBus(options: RedisBusOptions): Bus {
  const known = checkKnown<RedisBusOptions>('redisBus', options, ['url', 'client', 'prefix', 'retention'])
  const { url, client, prefix = 'tidings', retention } = known
  if ((url === undefined) === (client === undefined)) {
    throw new ERR_OPTION('url', "must be given, or 'client' in its place")
  }
  if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
    throw new ERR_OPTION(
      'prefix',
      `must be 1 to 64 characters, without spaces and braces; it is ${show(prefix)}`,
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
    `must begin with redis:// or rediss://; it is ${typeof url === 'string' ? 'another' : show(url)}`,
  )
}
