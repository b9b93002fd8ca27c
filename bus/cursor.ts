/** A parsed cursor: "I have all of this epoch up to here". */
export interface Cursor {
  readonly epoch: string
  readonly seq: number
}

/** Where a reader starts: after a cursor, with all that is kept, or with what comes next. */
export type Start = Cursor | 'earliest' | 'now'

const CURSOR = /^([A-Za-z0-9_-]{4,32})\.(0|[1-9][0-9]{0,15})$/

/**
 * The epoch is a part of the text, and keeps it alive: it is for comparing, not for keeping.
 * @returns the cursor, or undefined where the text is none; a seq above 2^53 - 1 is none.
 */
export function parseCursor(text: string): Cursor | undefined {
  const found = CURSOR.exec(text)
  if (found === null) return undefined
  const seq = Number(found[2])
  return Number.isSafeInteger(seq) ? { epoch: found[1]!, seq } : undefined
}

/** @returns the start that a text names, or undefined where it names none. */
export function parseStart(text: string): Start | undefined {
  return text === 'earliest' || text === 'now' ? text : parseCursor(text)
}
