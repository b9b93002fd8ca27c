import type { Bus } from '../../bus/bus.ts'
import type { Guard } from './guard.ts'
import type { HeartbeatTimer } from './heartbeat-timer.ts'
import type { Meter } from './meter.ts'
import type { OpenConnections } from './open-connections.ts'
import type { Settings } from './options.ts'
import type { Unread } from './unread.ts'

/** What a route gets to work with: everything of one registration of the plugin. */
export interface Context {
  readonly bus: Bus
  readonly settings: Settings
  readonly guard: Guard
  readonly readers: OpenConnections
  /** The answers that wait for their clients. */
  readonly unread: Unread
  /** Who is to give a sign of life, and when. */
  readonly heartbeat: { readonly sse: HeartbeatTimer; readonly ws: HeartbeatTimer }
  /** Present where `/stats` is: nobody else asks for its figures. */
  readonly meter: Meter | undefined
  readonly figures: { readonly stats: object }
}
