import type { Bus } from '../../bus/bus.ts'
import type { Guard } from './guard.ts'
import type { HeartbeatTimer } from './heartbeat-timer.ts'
import type { Meter } from './meter.ts'
import type { OpenConnections } from './open-connections.ts'
import type { Settings } from './settings.ts'
import type { Unread } from './unread.ts'

/** The parts of one registration of the plugin, for its routes. */
export interface Context {
  readonly bus: Bus
  readonly settings: Settings
  readonly guard: Guard
  readonly readers: OpenConnections
  /** The answers that clients have not read yet. */
  readonly unread: Unread
  /** The heartbeat timers. */
  readonly heartbeat: { readonly sse: HeartbeatTimer; readonly ws: HeartbeatTimer }
  /** Set if `/stats` is enabled. */
  readonly meter: Meter | undefined
  readonly figures: { readonly stats: object }
}
