import type { ConnectOptions, SocketLike, Transport } from './types.ts'

/** The options with every default in its place. */
export type Settings = Required<
  Omit<ConnectOptions, 'signal' | 'onGap' | 'getToken' | 'backoff' | 'storage' | 'EventSource' | 'WebSocket'>
> &
  Pick<ConnectOptions, 'signal' | 'onGap' | 'getToken' | 'EventSource' | 'WebSocket' | 'storage'> & {
    readonly base: number
    readonly cap: number
    readonly url: string
  }

/** What a browser has and Node 20 has not. */
const here = globalThis as {
  WebSocket?: new (url: string, protocols: string[]) => SocketLike
  location?: { href: string }
  sessionStorage?: ConnectOptions['storage']
}

/** @throws TypeError where no transport is left to be used here */
export function settle(url: string | URL, options: ConnectOptions): Settings {
  const WebSocket = options.WebSocket ?? here.WebSocket
  const { base = 1000, cap = 30_000 } = options.backoff ?? {}
  const given: readonly Transport[] = options.transports ?? ['ws', 'sse', 'longpoll', 'poll']
  const transports = given.filter((transport) => transport !== 'ws' || WebSocket)
  if (!transports[0])
    throw new TypeError("Option 'transports': none can be used; Node 20 needs option 'WebSocket'")
  return {
    channels: [],
    cursor: 'now',
    ack: 'auto',
    probe: 5000,
    upgradeAfter: 60_000,
    silence: 40_000,
    pollInterval: 2000,
    wait: 25,
    buffer: 1000,
    request: {},
    fetch: (...args) => fetch(...args),
    storage: storageHere(),
    ...options,
    WebSocket,
    transports,
    base,
    cap,
    url: new URL(url, here.location?.href).href,
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
export function routeOf({ url }: Settings, route: string, query: [string, string | number][]): string {
  const target = new URL(url)
  target.pathname = `${target.pathname.replace(/\/$/, '')}/${route}`
  for (const [name, value] of query) target.searchParams.append(name, `${value}`)
  return target.href
}

/** Full jitter: at random from 0 to a bound that doubles, so that clients that were cut off together come back apart. */
export function jitter({ base, cap }: Settings, attempt: number): number {
  return Math.random() * Math.min(cap, base * 2 ** attempt)
}

/** Ends early when one of the signals aborts. */
export function sleep(ms: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      for (const signal of signals) signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    for (const signal of signals) signal?.addEventListener('abort', end)
  })
}
