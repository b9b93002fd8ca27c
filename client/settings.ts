import type { ConnectOptions, SocketLike, Transport } from './types.ts'

/** The options with all defaults applied. */
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
  keyAge: 600_000,
}

/** Globals of browsers that Node 20 lacks. */
const here = globalThis as {
  WebSocket?: new (url: string, protocols: string[]) => SocketLike
  location?: { href: string }
  sessionStorage?: ConnectOptions['storage']
}

/** Drops missing options, and rounds numbers to 31-bit integers, the range of timers. */
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

/** @throws TypeError that names the option, or if no transport is available */
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
  if (!/^http/.test(address.protocol)) throw new TypeError("The URL must begin with 'http'")
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

/** Access to a forbidden storage throws. */
function storageHere(): ConnectOptions['storage'] {
  try {
    return here.sessionStorage
  } catch {
    return undefined
  }
}

/** URL of a route. The query of the user's URL is kept. */
export function routeOf({ url }: Settings, route: string, query: Iterable<[string, unknown]>): string {
  const target = new URL(url)
  target.pathname = `${target.pathname.replace(/\/$/, '')}/${route}`
  for (const [name, value] of query) target.searchParams.append(name, `${value}`)
  return target.href
}
