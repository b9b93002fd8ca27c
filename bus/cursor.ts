/** What of each channel a reader starts with. */
export type Choice =
  /** The last that it has; of those up to the head at that time, where it is said. */
  | { readonly last: number; readonly head?: number }
  /** What was accepted at that time or later: milliseconds since 1970. */
  | { readonly since: number }

/** A parsed cursor: "I have all of this epoch up to here". */
export interface Cursor {
  readonly epoch: string
  readonly seq: number
  /** "… of what this choice takes": see `Excerpt`. */
  readonly choice?: Choice
  /** A digest of the bounds that the choice has above this place. */
  readonly digest?: string
}

/** Where a reader starts: after a cursor, with all that is kept, with some of it, or with what comes next. */
export type Start = Cursor | Choice | 'earliest' | 'now'

/** The most that `last:N` may ask for. */
export const MOST_LAST = 1000

const CURSOR = /^([A-Za-z0-9_-]{4,32})\.(0|[1-9][0-9]{0,15})$/

/**
 * In the place of an epoch: it, what was chosen, up to which head, and the digest. Epochs of ours are too short to look
 * like it, and may hold any of its characters: it is read from the end, where three parts hold no `_`.
 */
const CHOSEN = /^(.{4,})_([ls])([0-9a-z]{1,11})_([0-9a-z]{1,11})_([0-9a-z]{1,7})$/

const CHOICE = /^(?:last:([1-9][0-9]{0,3})|since:(0|[1-9][0-9]{0,15}))$/

/**
 * The epoch is a part of the text, and keeps it alive: it is for comparing, not for keeping.
 * @returns the cursor, or undefined where the text is none; a seq above 2^53 - 1 is none.
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

/** What stands in the place of an epoch in a cursor that carries a choice. */
export function chosenEpoch(epoch: string, choice: Choice, digest: string): string {
  const what =
    'since' in choice
      ? `s${choice.since.toString(36)}_0`
      : `l${choice.last.toString(36)}_${(choice.head ?? 0).toString(36)}`
  return `${epoch}_${what}_${digest}`
}

/** @returns the start that a text names, or undefined where it names none. */
export function parseStart(text: string): Start | undefined {
  if (text === 'earliest' || text === 'now') return text
  const chosen = CHOICE.exec(text)
  if (chosen === null) return parseCursor(text)
  const [, last, since] = chosen
  if (since !== undefined) return Number.isSafeInteger(Number(since)) ? { since: Number(since) } : undefined
  return Number(last) <= MOST_LAST ? { last: Number(last) } : undefined
}
