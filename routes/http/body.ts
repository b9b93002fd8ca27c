import type { IncomingHttpHeaders } from 'node:http'
import { ERR_CHARSET, ERR_ENCODING, ERR_TOO_LARGE, ERR_TRANSFER } from '../../bus/errors.ts'
import { bytesPayload, jsonPayload, type Payload, textPayload, utf8 } from '../../bus/payload.ts'

const JSON_TYPE = /^application\/(?:json|[^/;\s]+\+json)$/
const TEXT_TYPE = /^(?:text\/[^/;\s]+|application\/x-www-form-urlencoded)$/
/**
 * Matches a parameter from the start of the header: a quoted value may contain text that looks like another parameter
 * (RFC 9110 section 5.6.6).
 */
const PARAMETER = /;[ \t]*([^\s;="]*)(?:[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;"]*))?/g
/** US-ASCII is a subset of UTF-8. */
const UTF8_NAMES: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii'])

/**
 * Converts the body of a publish by its content type. Fastify has refused malformed types before.
 * @throws TIDINGS_ERR_JSON, TIDINGS_ERR_UTF8, TIDINGS_ERR_CHARSET
 */
export function bodyPayload(type: string | undefined, body: Buffer): Payload {
  if (type === undefined) return textPayload(utf8(body))
  const media = type.split(';', 1)[0]!.trim().toLowerCase()
  if (JSON_TYPE.test(media)) return jsonPayload(utf8(body))
  if (!TEXT_TYPE.test(media)) return bytesPayload(body)
  if (!UTF8_NAMES.has(charsetOf(type) ?? 'utf-8')) throw new ERR_CHARSET()
  return textPayload(utf8(body))
}

function charsetOf(type: string): string | undefined {
  for (const [, name, value = ''] of type.matchAll(PARAMETER)) {
    if (name!.toLowerCase() !== 'charset') continue
    const bare = value[0] === '"' ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value
    return bare.trim().toLowerCase()
  }
}

/**
 * @throws TIDINGS_ERR_ENCODING for a content coding (RFC 9110 section 8.4); TIDINGS_ERR_TRANSFER for a transfer coding
 * other than chunked (RFC 9112 section 6.1), since Node's parser accepts `gzip, chunked`
 */
export function checkEncoding(headers: IncomingHttpHeaders): void {
  const transfer = headers['transfer-encoding']
  if (transfer !== undefined && transfer.trim().toLowerCase() !== 'chunked') throw new ERR_TRANSFER()
  const encoding = headers['content-encoding']
  // An empty list names no coding.
  const codings = encoding
    ?.toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
  if (codings?.some((coding) => coding !== '' && coding !== 'identity')) throw new ERR_ENCODING()
}

/** @throws TIDINGS_ERR_TOO_LARGE */
export function checkSize(payload: Payload, most: number): Payload {
  if (payload.size > most) throw new ERR_TOO_LARGE(payload.size, most)
  return payload
}
