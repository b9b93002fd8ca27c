import { ERR_WAIT } from '../../bus/errors.ts'
import type { Query } from '../http/query.ts'
import { WHOLE } from '../http/read-query.ts'
import { preferredWait } from './prefer.ts'

/** Seconds to hold, and whether a Prefer header decided them. */
export interface Wait {
  readonly seconds: number
  readonly preferred: boolean
}

/**
 * @param prefer the Prefer header. It is ignored if it is malformed or the query has a `wait`
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
