import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { detach } from '../../bus/text.ts'

/** Maximum characters of a held request's URL, and of its headers with their names. */
const MOST = { url: 1024, headers: 4096 }

/**
 * Releases long parts of a held request, of which a client may send 16 KiB. A short request stays complete for hooks
 * that run at its end. Over HTTP/2, Node keeps the headers with the stream.
 */
export function forgetLong(request: FastifyRequest): void {
  const raw = request.raw as IncomingMessage & { originalUrl?: string }
  if (raw.httpVersionMajor !== 1) return
  if (raw.url!.length > MOST.url || request.originalUrl.length > MOST.url) {
    if (raw.originalUrl !== undefined) raw.originalUrl = detach(raw.originalUrl.slice(0, MOST.url))
    raw.url = detach(raw.url!.slice(0, MOST.url))
    request.query = {}
  }
  let length = 0
  for (const each of raw.rawHeaders) length += each.length
  if (length <= MOST.headers) return
  // The longest headers are the least likely to be needed.
  const kept: IncomingHttpHeaders = {}
  const rawHeaders: string[] = []
  length = 0
  const all = Object.entries(raw.headers).sort(([, a], [, b]) => String(a).length - String(b).length)
  for (const [name, value] of all) {
    length += name.length + String(value).length
    if (length > MOST.headers) break
    kept[name] = value
    for (const each of [value].flat()) rawHeaders.push(name, each!)
  }
  raw.headers = kept
  raw.rawHeaders = rawHeaders
}
