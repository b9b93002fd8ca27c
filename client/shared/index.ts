import { checked, connect } from '../index.ts'
import type { ConnectOptions, Feed, Transport } from '../types.ts'
import { ChannelSocket } from './channel-socket.ts'
import { Member } from './member.ts'
import { canShare } from './platform.ts'

export type * from '../types.ts'

export interface SharedOptions extends ConnectOptions {
  /**
   * Whose credentials these are: tabs share a connection where this is equal, beside the address, the channels and
   * `request`. It must be given with `getToken`, whose answers can't be compared. No secret.
   */
  identity?: string
}

/** A tab that finds no leader, or loses it, looks again soon: it costs nothing. Milliseconds. */
const BACKOFF = { base: 100, cap: 1000 }

/**
 * As `connect`, with one connection for all tabs of an origin that ask for the same. One tab leads and owns it; the
 * others hear of its messages, and publish through it. A leader that closes, crashes or freezes is replaced. Each tab
 * keeps its own cursor. Where there are no Web Locks or no BroadcastChannel, it is `connect`.
 * @throws TypeError for options that can't be used
 */
export function connectShared<T = unknown>(
  url: string | URL,
  { identity, ...options }: SharedOptions = {},
): Feed<T> {
  if (options.getToken && identity === undefined) {
    throw new TypeError(
      "Option 'identity' must say whose token 'getToken' gives: tabs of others must not share it",
    )
  }
  if (!canShare()) {
    return connect<T>(url, options)
  }
  const settings = checked(url, options)
  const { signal, onGap, ack, buffer, ...shared } = options
  const member = new Member(settings.url, shared)
  let socket: ChannelSocket | undefined
  class Socket extends ChannelSocket {
    constructor(url: string) {
      super(member, url)
      socket = this
    }
  }
  const feed = connect<T>(url, { ...options, transports: ['ws'], WebSocket: Socket, backoff: BACKOFF })
  member.cursor = () => feed.cursor
  feed.addEventListener('close', () => member.close(), { once: true })
  void nameOf(settings, identity).then((name) => member.join(name))

  // What carries the feed is the leader's affair.
  const transport = (): Transport => member.state?.transport ?? settings.transports[0]!
  const refuse = () =>
    Promise.reject(new TypeError('The channels of a shared feed are fixed: connect another one'))
  return Object.defineProperties(feed, {
    transport: { get: transport },
    dispatchEvent: {
      value(event: Event): boolean {
        if ('transport' in event) Object.assign(event, { transport: transport() })
        return EventTarget.prototype.dispatchEvent.call(feed, event)
      },
    },
    switchTo: {
      value: (transport: Transport) => {
        if (settings.transports.includes(transport)) return socket!.switchTo(transport)
        return Promise.reject(
          new TypeError(`Option 'transports' has no '${transport}' that can be used here`),
        )
      },
    },
    subscribe: { value: refuse },
    unsubscribe: { value: refuse },
  })
}

/** Equal for tabs that may share; it tells nothing of what it was made from. */
async function nameOf(
  { url, channels, request }: { url: string; channels: readonly string[]; request: RequestInit },
  identity: string | undefined,
): Promise<string> {
  const headers = [...new Headers(request.headers)].sort()
  const { credentials = '' } = request as { credentials?: string }
  const parts = JSON.stringify([url, [...new Set(channels)].sort(), headers, credentials, identity ?? null])
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(parts))
  return `tidings ${btoa(String.fromCharCode(...new Uint8Array(digest)))}`
}
