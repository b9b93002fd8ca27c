import { isStart } from './place.ts'
import type { ConnectOptions, SocketLike, Transport } from './types.ts'

/** The options with every default in its place. */
export type Settings = Required<Pick<ConnectOptions, 'cursor' | 'request' | 'fetch' | keyof typeof NUMBERS>> &
  Pick<ConnectOptions, 'ack' | 'signal' | 'onGap' | 'getToken' | 'EventSource' | 'WebSocket' | 'storage'> & {
    readonly channels: readonly string[]
    readonly transports: readonly Transport[]
    readonly base: number
    readonly cap: number
    readonly url: string
  }

const TRANSPORTS: readonly Transport[] = ['ws', 'sse', 'longpoll', 'poll']
const BACKOFF = { base: 1000, cap: 30_000 }
const NUMBERS = {
  probe: 5000,
  upgradeAfter: 60_000,
  silence: 40_000,
  pollInterval: 2000,
  wait: 25,
  buffer: 1000,
}

/** The others, and what `typeof` says of them. */
const KINDS: Record<string, string> = {
  backoff: 'object',
  request: 'object',
  storage: 'object',
  signal: 'object',
  onGap: 'function',
  getToken: 'function',
  fetch: 'function',
  WebSocket: 'function',
  EventSource: 'function',
}

/** What a browser has and Node 20 has not. */
const here = globalThis as {
  WebSocket?: new (url: string, protocols: string[]) => SocketLike
  location?: { href: string }
  sessionStorage?: ConnectOptions['storage']
}

export function isChannel(name: unknown): name is string {
  return typeof name === 'string' && /^[\w.:~-]{1,128}$/.test(name)
}

/** Whether an option is what it must be, and what it must be. */
function rule(name: string, value: unknown, numbers: object): [ok: boolean, must: string] {
  if (name in numbers) return [typeof value === 'number' && value > 0, 'must be a number above 0']
  if (name in KINDS) return [typeof value === KINDS[name], `must be of type ${KINDS[name]}`]
  const list = Array.isArray(value) && value.length <= 32 ? value : undefined
  if (name === 'channels') return [!!list?.every(isChannel), 'must be a list of up to 32 channel names']
  if (name === 'transports')
    return [!!list?.every((each) => TRANSPORTS.includes(each)), `must be a list of ${TRANSPORTS}`]
  if (name === 'cursor') return [isStart(value), "must be a cursor, 'earliest' or 'now'"]
  return [name === 'ack' && /^(auto|manual)$/.test(value as string), "is none, or not 'auto' or 'manual'"]
}

/** Those that are given. @throws TypeError that names an option that is unknown, or no good */
function checked(options: object, numbers: object): Record<string, unknown> {
  const given = Object.entries(options).filter(([, value]) => value != null)
  return Object.fromEntries(
    given.map(([name, value]) => {
      const [ok, must] = rule(name, value, numbers)
      if (!ok) throw new TypeError(`Option '${name}' ${must}`)
      return [name, typeof value === 'number' ? Math.min(Math.ceil(value), 2 ** 31 - 1) : value]
    }),
  )
}

/** @throws TypeError that names the option, also where no transport is left to be used here */
export function settle(url: string | URL, options: ConnectOptions): Settings {
  const given = checked(options, NUMBERS) as ConnectOptions
  const { WebSocket = here.WebSocket, transports = TRANSPORTS, channels = [] } = given
  const usable = transports.filter((transport) => transport !== 'ws' || WebSocket)
  if (!usable[0])
    throw new TypeError("Option 'transports': none can be used; Node 20 needs option 'WebSocket'")
  const address = new URL(url, here.location?.href)
  if (!/^http/.test(address.protocol)) throw new TypeError("The address must begin with 'http:' or 'https:'")
  address.hash = ''
  return {
    ...NUMBERS,
    ...BACKOFF,
    cursor: 'now',
    request: {},
    fetch: (...args) => fetch(...args),
    storage: storageHere(),
    ...given,
    ...checked(given.backoff ?? {}, BACKOFF),
    WebSocket,
    transports: [...new Set(usable)],
    channels: [...new Set(channels[0] ? channels : ['default'])],
    url: address.href,
  }
}

/** A page that may not store anything gets an exception for asking. */
function storageHere(): ConnectOptions['storage'] {
  try {
    return here.sessionStorage
  } catch {
    return undefined
  }
}

/** A route of the plugin, with the query that the user's URL has, too. */
export function routeOf({ url }: Settings, route: string, query: Iterable<[string, unknown]>): string {
  const target = new URL(url)
  target.pathname = `${target.pathname.replace(/\/$/, '')}/${route}`
  for (const [name, value] of query) target.searchParams.append(name, `${value}`)
  return target.href
}
