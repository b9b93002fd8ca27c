import type { Bus } from '../bus/bus.ts'
import type { Guard } from './guard.ts'
import type { Meter } from './meter.ts'
import type { Settings } from './options.ts'
import type { Readers } from './readers.ts'
import type { Unread } from './unread.ts'
import type { Wheel } from './wheel.ts'

/** What a route gets to work with: everything of one registration of the plugin. */
export interface Service {
  readonly bus: Bus
  readonly settings: Settings
  readonly guard: Guard
  readonly readers: Readers
  /** The answers that wait for their clients. */
  readonly unread: Unread
  /** Who is to give a sign of life, and when. */
  readonly heartbeat: { readonly sse: Wheel; readonly ws: Wheel }
  /** Present where `/stats` is: nobody else asks for its figures. */
  readonly meter: Meter | undefined
}
