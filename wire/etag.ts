import { type Cursor, parseCursor } from '../bus/cursor.ts'

const TAG = /(?:W\/)?"([^"]*)"/g

/** The entity tag that carries a cursor. It is weak: the same cursor may come with another encoding of the body. */
export function etagOf(cursor: string): string {
  return `W/"${cursor}"`
}

/** The first cursor among the tags of an If-None-Match; others, and `*`, are not ours (RFC 9110 section 13.1.2). */
export function taggedCursor(ifNoneMatch: string | undefined): Cursor | undefined {
  for (const [, tag] of ifNoneMatch?.matchAll(TAG) ?? []) {
    const cursor = parseCursor(tag!)
    if (cursor !== undefined) return cursor
  }
}
