import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { detach } from '../../bus/text.ts'

/** What is kept of a request that is held: characters of its URL, and of its headers with their names. */
const MOST = { url: 1024, headers: 4096 }

/**
 * Lets go of what is long in a request that is answered much later: nobody needs it for that, and a client may send
 * 16 KiB of it. Where all is short, nothing is touched: hooks that run at the end see the request as it came. Over
 * HTTP/2 Node keeps the headers with the stream.
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
  // The longest are those that nobody needs.
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
