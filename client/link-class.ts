import type { Link, LinkListener } from './link.ts'
import type { Settings } from './settings.ts'
import type { Transport } from './types.ts'

/** The class of the links of one transport. */
export type LinkClass = new (
  settings: Settings,
  transport: Transport,
  channels: readonly string[],
  at: string,
  listener: LinkListener,
) => Link

/** The class for each transport, in the default order of preference. */
export type LinkClasses = Partial<Record<Transport, LinkClass>>

/** The settings of a feed with its link classes. */
export type FeedSettings = Settings & { readonly kinds: LinkClasses }
