import type { Link, LinkListener } from './link.ts'
import type { Settings } from './settings.ts'
import type { Transport } from './types.ts'

/** What reads over one transport. */
export type LinkClass = new (
  settings: Settings,
  transport: Transport,
  channels: readonly string[],
  at: string,
  listener: LinkListener,
) => Link

/** What reads over each transport, in the order in which they are liked unless an option says otherwise. */
export type LinkClasses = Partial<Record<Transport, LinkClass>>

/** Settings of a feed, and what reads for it. */
export type FeedSettings = Settings & { readonly kinds: LinkClasses }
