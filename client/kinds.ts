import type { Hearer, Link } from './link.ts'
import type { Settings } from './settings.ts'
import type { Transport } from './types.ts'

/** What reads over one transport. */
export type Kind = new (
  settings: Settings,
  transport: Transport,
  channels: readonly string[],
  at: string,
  hearer: Hearer,
) => Link

/** What reads over each transport, in the order in which they are liked unless an option says otherwise. */
export type Kinds = Partial<Record<Transport, Kind>>

/** Settings of a feed, and what reads for it. */
export type FeedSettings = Settings & { readonly kinds: Kinds }
