import { parse } from 'node:querystring'
import type { FastifyRequest } from 'fastify'
import { ERR_CHANNEL } from '../../bus/errors.ts'

/** A query's parameters: a string, or several where one is repeated. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>

const CHANNEL = 'channel'

/** The last one: a route looks at its query more than once, and many idle readers ask for the same. */
let known: { url: string | undefined; query: Query } = { url: undefined, query: {} }

/**
 * The query as its text has it. `request.query` is what the app's `querystringParser` makes of it, which may give
 * other names (`channel[]` as `channel`), other types or other objects.
 * @throws TIDINGS_ERR_CHANNEL for a name that was meant for `channel`: it would be ignored, and `default` be read
 */
export function queryOf(request: FastifyRequest): Query {
  const url = request.raw.url!
  if (url === known.url) return known.query
  // The router takes a query from either mark on.
  const mark = url.search(/[?#]/)
  const query: Query = mark === -1 ? {} : parse(url.slice(mark + 1), '&', '=', { maxKeys: 0 })
  for (const name of Object.keys(query)) {
    if (name.length >= CHANNEL.length && name !== CHANNEL && isChannel(name)) {
      throw new ERR_CHANNEL(`must be written so, not ${JSON.stringify(name.slice(0, 40))}: repeat it for several channels`)
    }
  }
  known = { url, query }
  return query
}

/** `channels`, `Channel`, `channel[]`, `channel[0]` and their like. */
function isChannel(name: string): boolean {
  const [bare] = name.trim().toLowerCase().split('[', 1)
  return bare === CHANNEL || bare === `${CHANNEL}s`
}
