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

export const BACKOFF = { base: 1000, cap: 30_000 }
export const NUMBERS = {
  probe: 5000,
  upgradeAfter: 60_000,
  silence: 40_000,
  pollInterval: 2000,
  wait: 25,
  buffer: 1000,
}

/** What a browser has and Node 20 has not. */
const here = globalThis as {
  WebSocket?: new (url: string, protocols: string[]) => SocketLike
  location?: { href: string }
  sessionStorage?: ConnectOptions['storage']
}

/** Those that are given, in whole numbers that a timer can hold. */
function bounded(options: object): object {
  return Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value != null)
      .map(([name, value]) => [
        name,
        typeof value === 'number' ? Math.min(Math.ceil(value), 2 ** 31 - 1) : value,
      ]),
  )
}

/** @throws TypeError that names the option, also where no transport is left to be used here */
export function settle<K extends Partial<Record<Transport, unknown>>>(
  url: string | URL,
  options: ConnectOptions,
  kinds: K,
): Settings & { readonly kinds: K } {
  const given = bounded(options) as ConnectOptions
  const all = Object.keys(kinds) as Transport[]
  const { WebSocket = here.WebSocket, transports = all, channels = [] } = given
  const usable = transports.filter((each) => kinds[each] && (each !== 'ws' || WebSocket))
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
    ...bounded(given.backoff ?? {}),
    kinds,
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
