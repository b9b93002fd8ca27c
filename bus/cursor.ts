/** The part of each channel that a reader starts with. */
export type Choice =
  /** Number of last messages; of those up to `head`, if set. */
  | { readonly last: number; readonly head?: number }
  /** Earliest time of acceptance, in milliseconds since 1970. */
  | { readonly since: number }

/** A parsed cursor: "I have all of this epoch up to here". */
export interface Cursor {
  readonly epoch: string
  readonly seq: number
  /** Limits the cursor to an excerpt: see `Excerpt`. */
  readonly choice?: Choice
  /** A digest of the excerpt's bounds above this place. */
  readonly digest?: string
}

/** Where a reader starts: after a cursor, at the earliest kept message, at an excerpt, or at the head. */
export type Start = Cursor | Choice | 'earliest' | 'now'

/** Maximum N of `last:N`. */
export const MOST_LAST = 1000

const CURSOR = /^([A-Za-z0-9_-]{4,32})\.(0|[1-9][0-9]{0,15})$/

/**
 * Takes the place of the epoch: epoch, choice, head and digest. Epochs are too short to match, but may contain any of
 * its characters. So it is parsed from the end: the last three parts contain no `_`.
 */
const CHOSEN = /^(.{4,})_([ls])([0-9a-z]{1,11})_([0-9a-z]{1,11})_([0-9a-z]{1,7})$/

const CHOICE = /^(?:last:([1-9][0-9]{0,3})|since:(0|[1-9][0-9]{0,15}))$/

/**
 * The epoch is a slice, which keeps the whole text alive: compare it, but do not store it.
 * @returns the cursor, or undefined if the text is invalid. A seq above 2^53 - 1 is invalid.
 */
export function parseCursor(text: string): Cursor | undefined {
  const found = CURSOR.exec(text)
  if (found === null) return undefined
  const seq = Number(found[2])
  if (!Number.isSafeInteger(seq)) return undefined
  const chosen = CHOSEN.exec(found[1]!)
  if (chosen === null) return { epoch: found[1]!, seq }
  const [, epoch, kind, what, head, digest] = chosen
  const number = Number.parseInt(what!, 36)
  const choice = kind === 's' ? { since: number } : { last: number, head: Number.parseInt(head!, 36) }
  return { epoch: epoch!, seq, choice, digest: digest! }
}

/** The text that takes the place of the epoch in a cursor with an excerpt. */
export function chosenEpoch(epoch: string, choice: Choice, digest: string): string {
  const what =
    'since' in choice
      ? `s${choice.since.toString(36)}_0`
      : `l${choice.last.toString(36)}_${(choice.head ?? 0).toString(36)}`
  return `${epoch}_${what}_${digest}`
}

/** @returns the start, or undefined if the text is invalid. */
export function parseStart(text: string): Start | undefined {
  if (text === 'earliest' || text === 'now') return text
  const chosen = CHOICE.exec(text)
  if (chosen === null) return parseCursor(text)
  const [, last, since] = chosen
  if (since !== undefined) return Number.isSafeInteger(Number(since)) ? { since: Number(since) } : undefined
  return Number(last) <= MOST_LAST ? { last: Number(last) } : undefined
}
