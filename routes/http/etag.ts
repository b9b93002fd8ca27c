import type { Encoder } from '../../bus/batch.ts'
import { type Cursor, parseCursor } from '../../bus/cursor.ts'

const TAG = /(?:W\/)?"([^"]*)"/g

/** The entity tag of a cursor. It is weak, since a cursor may come with different encodings of the body. */
export function etagOf(cursor: string): string {
  return `W/"${cursor}"`
}

/** The entity tag of a batch: the place after it. */
export const tag: Encoder<string> = { name: 'tag', encode: (batch) => etagOf(batch.cursor) }

/** The first cursor in an If-None-Match. Other tags and `*` are ignored (RFC 9110 section 13.1.2). */
export function taggedCursor(ifNoneMatch: string | undefined): Cursor | undefined {
  for (const [, text] of ifNoneMatch?.matchAll(TAG) ?? []) {
    const cursor = parseCursor(text!)
    if (cursor !== undefined) return cursor
  }
}
