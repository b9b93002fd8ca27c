import type { Encoder } from '../../bus/batch.ts'
import { type Cursor, parseCursor } from '../../bus/cursor.ts'

const TAG = /(?:W\/)?"([^"]*)"/g

/** The entity tag that carries a cursor. It is weak: the same cursor may come with another encoding of the body. */
export function etagOf(cursor: string): string {
  return `W/"${cursor}"`
}

/** That of a batch: the place after it. */
export const tag: Encoder<string> = { name: 'tag', encode: (batch) => etagOf(batch.cursor) }

/** The first cursor among the tags of an If-None-Match; others, and `*`, are not ours (RFC 9110 section 13.1.2). */
export function taggedCursor(ifNoneMatch: string | undefined): Cursor | undefined {
  for (const [, text] of ifNoneMatch?.matchAll(TAG) ?? []) {
    const cursor = parseCursor(text!)
    if (cursor !== undefined) return cursor
  }
}
