import type controls from './public/texts/controls.js'
import type diagram from './public/texts/diagram.js'
import type handshake from './public/texts/handshake.js'
import type lesson from './public/texts/lesson.js'
import type page from './public/texts/page.js'
import type socketApi from './public/texts/socket-api.js'
import type talk from './public/texts/talk.js'
import type workload from './public/texts/workload.js'

/** Types for the scripts in public/, which are JavaScript. */

type All = typeof controls.en &
  typeof diagram.en &
  typeof handshake.en &
  typeof lesson.en &
  typeof page.en &
  typeof socketApi.en &
  typeof talk.en &
  typeof workload.en

/** The keys of the texts. */
export type TextKey = keyof All

/**
 * The key of a text, or a pattern such as `lane.${string}` that some key matches. An unknown key is `never`, which no
 * string can be assigned to.
 */
export type KnownKey<K extends string> = K extends TextKey
  ? K
  : IsPattern<K> extends true
    ? [Extract<TextKey, K>] extends [never]
      ? never
      : K
    : never

/** Whether a type is a pattern, not a literal. A pattern can be the key of an index signature. */
// biome-ignore lint/complexity/noBannedTypes: no property is asked for
type IsPattern<K extends string> = {} extends Record<K, unknown> ? true : false

/** Properties of a new element. `say` is the key of its text, and `label` that of its accessible name. */
export interface Properties<S extends string, L extends string> {
  say?: S & KnownKey<S>
  label?: L & KnownKey<L>
  // biome-ignore lint/suspicious/noExplicitAny: each element has its own
  [name: string]: any
}

/** A piece of a lane's traffic, as the server sends it. */
export interface Piece {
  readonly lane: string
  readonly kind: 'open' | 'close' | 'request' | 'response' | 'upgrade' | 'body' | 'chunk' | 'frame'
  readonly direction: 'up' | 'down'
  readonly connection: number
  readonly exchange: number
  /** Milliseconds since 1970 by the server's clock. */
  readonly at: number
  readonly delay: number
  readonly size: number
  /** The first bytes, in Base64. */
  readonly bytes: string
}

/** A piece, or a publish. */
export type Told = Piece | { readonly kind: 'published'; readonly at: number; readonly lane?: undefined }

/** Total traffic of a lane. */
export interface Totals {
  readonly requests: number
  readonly empty: number
  readonly up: number
  readonly down: number
}

/** Properties of the page's events. */
interface PageEvents {
  readonly arrow: { readonly arrow: import('./public/arrow.js').Arrow; readonly caption?: string }
  readonly delivery: {
    readonly transport: string
    readonly cursor: string
    readonly time: number
    readonly delay: number
    readonly data: unknown
  }
  readonly gap: { readonly reason: string; readonly cursor: string }
  readonly lane: { readonly lane: string }
  readonly message: {
    readonly cursor: string
    readonly time: number
    readonly data: unknown
    readonly at: number
  }
  readonly pieces: {
    readonly pieces: readonly Told[]
    readonly left: number
    readonly totals: Readonly<Record<string, Totals>>
  }
  readonly status: { readonly readyState: number }
}

declare global {
  interface EventTarget {
    addEventListener<T extends keyof PageEvents>(
      type: T,
      listener: (event: Event & PageEvents[T]) => void,
      options?: AddEventListenerOptions,
    ): void
  }

  /** The page looks for HTML elements only. */
  interface ParentNode {
    querySelector<T extends keyof HTMLElementTagNameMap>(name: T): HTMLElementTagNameMap[T] | null
    querySelector(selectors: string): HTMLElement | null
    querySelectorAll<T extends keyof HTMLElementTagNameMap>(name: T): NodeListOf<HTMLElementTagNameMap[T]>
    querySelectorAll(selectors: string): NodeListOf<HTMLElement>
  }

  interface Element {
    closest(selectors: string): HTMLElement | null
  }
}
