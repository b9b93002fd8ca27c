import { ERR_WAIT } from '../../bus/errors.ts'
import type { Query } from '../http/query.ts'
import { WHOLE } from '../http/read-query.ts'
import { preferredWait } from './prefer.ts'

/** How long to hold, in seconds, and whether that is what a Prefer header got. */
export interface Wait {
  readonly seconds: number
  readonly preferred: boolean
}

/**
 * @param prefer the Prefer header; a malformed one is ignored, and so is any where the query names a wait
 * @throws TIDINGS_ERR_WAIT
 * @see RFC 7240 section 4.3
 */
export function parseWait(query: Query, prefer: unknown, byDefault: number, most: number): Wait {
  const { wait } = query
  if (wait === undefined) {
    const preferred = typeof prefer === 'string' ? preferredWait(prefer) : undefined
    return { seconds: Math.min(preferred ?? byDefault, most), preferred: preferred !== undefined }
  }
  if (typeof wait !== 'string' || !WHOLE.test(wait)) throw new ERR_WAIT()
  return { seconds: Math.min(Number(wait), most), preferred: false }
}
