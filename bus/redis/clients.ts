import { ERR_OPTION } from '../errors.ts'
import type { Connect, Connection } from './link.ts'

/** Timeout of a connection attempt, in milliseconds. */
const CONNECT = 5_000

/** Options of a connection of node-redis. */
interface Options {
  readonly socket?: object
}

/** A client of node-redis, for one server, Sentinel or a cluster. */
interface NodeRedis {
  readonly options?: Options
  /** Of a cluster, since version 5. Not public. */
  readonly _options?: { readonly defaults?: Options }
  duplicate(overrides: object): NodeRedis
  connect(): Promise<unknown>
  sendCommand(...args: unknown[]): Promise<unknown>
  destroy?(): unknown
  disconnect(): unknown
  on(event: string, listener: (error: Error) => void): unknown
}

/** A client of ioredis or iovalkey, for one server, Sentinel or a cluster. */
interface IoRedis {
  readonly isCluster?: boolean
  duplicate(...overrides: (object | undefined)[]): IoRedis
  connect(): Promise<unknown>
  call(command: string, ...args: string[]): Promise<unknown>
  disconnect(): unknown
  on(event: 'error' | 'end', listener: (error: Error) => void): unknown
}

/** The common part of the supported clients. */
export interface RedisClient {
  duplicate(...overrides: never[]): unknown
}

/** Options that disable reconnecting, offline queues and the app's reply transformations. */
const NODE_REDIS = {
  RESP: 2,
  disableOfflineQueue: true,
  disableClientInfo: true,
  commandOptions: {},
  keyPrefix: undefined,
  clientSideCache: undefined,
  maintNotifications: 'disabled',
  pingInterval: undefined,
  readonly: false,
}

const IOREDIS = {
  lazyConnect: true,
  protocol: 2,
  connectTimeout: CONNECT,
  retryStrategy: null,
  sentinelRetryStrategy: null,
  reconnectOnError: null,
  maxRetriesPerRequest: null,
  enableReadyCheck: false,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  autoResendUnfulfilledCommands: false,
  disableClientInfo: true,
  commandTimeout: undefined,
  blockingTimeout: undefined,
  socketTimeout: undefined,
  stringNumbers: false,
  keyPrefix: '',
}

/** @returns a connector like the app's client. @throws TIDINGS_ERR_OPTION if the client is not supported */
export function connectLike(client: unknown): Connect {
  if (isIoRedis(client)) return (failed) => connectIoRedis(client, failed)
  if (isNodeRedis(client)) return (failed) => connectNodeRedis(client, failed)
  throw new ERR_OPTION('client', 'must be a client of redis (node-redis), ioredis or iovalkey')
}

/** @returns a connector to a URL. @throws if the package `redis` is not installed */
export function connectTo(url: string): Connect {
  let client: Promise<NodeRedis> | undefined
  const load = () => {
    client ??= import('redis').then(({ createClient }) => createClient({ url }) as unknown as NodeRedis)
    return client
  }
  return Object.assign(async (failed: (error: Error) => void) => connectNodeRedis(await load(), failed), {
    load,
  })
}

function isIoRedis(client: unknown): client is IoRedis {
  const { call, duplicate } = (client ?? {}) as Partial<IoRedis>
  return typeof call === 'function' && typeof duplicate === 'function'
}

function isNodeRedis(client: unknown): client is NodeRedis {
  const { sendCommand, duplicate, connect } = (client ?? {}) as Partial<NodeRedis>
  return [sendCommand, duplicate, connect].every((each) => typeof each === 'function')
}

/** The first event of a cluster's node. */
const NODE_EVENTS = ['node-connect', 'node-reconnecting', 'node-error']

async function connectNodeRedis(client: NodeRedis, failed: (error: Error) => void): Promise<Connection> {
  const kind = 'getSentinelNode' in client ? 'sentinel' : 'slots' in client ? 'cluster' : 'single'
  const once = (options?: Options) => ({
    ...options?.socket,
    reconnectStrategy: false,
    connectTimeout: CONNECT,
  })
  const own = client.duplicate(
    kind === 'single'
      ? { ...NODE_REDIS, socket: once(client.options) }
      : kind === 'cluster' && client._options !== undefined
        ? { defaults: { ...client._options.defaults, socket: once(client._options.defaults) } }
        : {},
  )
  own.on('error', failed)
  const end = () => {
    // A closed client throws; Sentinel's and older versions' clients reject.
    Promise.resolve()
      .then(() => own.destroy?.() ?? own.disconnect())
      .catch(() => {})
  }
  const destroy = () => {
    // If a cluster looks for its nodes meanwhile, it opens them afterwards.
    if (kind === 'cluster') for (const event of NODE_EVENTS) own.on(event, end)
    end()
  }
  try {
    await own.connect()
  } catch (error) {
    destroy()
    throw error
  }
  if (kind === 'sentinel') return { send: (args) => own.sendCommand(false, args), destroy }
  if (kind === 'cluster') return { send: (args, key) => own.sendCommand(key, false, args), destroy }
  return { send: (args) => own.sendCommand(args), destroy }
}

async function connectIoRedis(client: IoRedis, failed: (error: Error) => void): Promise<Connection> {
  const own = client.isCluster
    ? client.duplicate(undefined, { lazyConnect: true, clusterRetryStrategy: null })
    : client.duplicate(IOREDIS)
  own.on('error', failed)
  own.on('end', () => failed(new Error('the connection has ended')))
  const destroy = () => {
    own.disconnect()
  }
  try {
    await own.connect()
  } catch (error) {
    destroy()
    throw error
  }
  return { send: ([command, ...args]) => own.call(command!, ...args), destroy }
}
