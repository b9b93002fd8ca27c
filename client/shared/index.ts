import { checked, connect } from '../index.ts'
import type { ConnectOptions, Feed, Transport } from '../types.ts'
import { ChannelSocket } from './channel-socket.ts'
import { Member } from './member.ts'
import { canShare } from './platform.ts'

export type * from '../types.ts'

export interface SharedOptions extends ConnectOptions {
  /**
   * Identifies the user. Tabs share a connection if `identity`, the address, the channels and `request` are equal.
   * Required with `getToken`. Must not be a secret.
   */
  identity?: string
}

/** Delays of a tab that looks for a leader, in milliseconds. Local messages cost no request. */
const BACKOFF = { base: 100, cap: 1000 }

/**
 * Like `connect`, with one connection for all tabs of an origin that use the same address and channels. One tab leads and
 * owns the connection. Another tab replaces a leader that closes, crashes or freezes. Each tab
 * keeps its own cursor. Without Web Locks or BroadcastChannel, behaves like `connect`.
 * @throws TypeError for invalid options
 */
export function connectShared<T = unknown>(
  url: string | URL,
  { identity, ...options }: SharedOptions = {},
): Feed<T> {
  if (options.getToken && identity === undefined) {
    throw new TypeError("Option 'identity' must name the owner of the token")
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

  // The leader selects the transport.
  const transport = (): Transport => member.state?.transport ?? settings.transports[0]!
  const refuse = () =>
    Promise.reject(new TypeError('The channels of a shared feed are fixed: open another feed'))
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

/** Name of the lock and the channel: a SHA-256 digest, since the parts may be private. */
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
