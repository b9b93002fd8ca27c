import { parse } from 'node:querystring'
import type { FastifyRequest } from 'fastify'
import { ERR_CHANNEL } from '../../bus/errors.ts'

/** The parameters of a query: a string, or an array if a parameter is repeated. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>

const CHANNEL = 'channel'

/** The last query: a route reads its query more than once, and many idle readers send the same one. */
let known: { url: string | undefined; query: Query } = { url: undefined, query: {} }

/**
 * Parses the query of a URL. `request.query` depends on the app's `querystringParser`, which may change names
 * (`channel[]` to `channel`) and types.
 * @throws TIDINGS_ERR_CHANNEL for a misspelt `channel`, which would be ignored so that `default` would be read
 */
export function queryOf(request: FastifyRequest): Query {
  const url = request.raw.url!
  if (url === known.url) return known.query
  // The router ends the path at either character.
  const mark = url.search(/[?#]/)
  const query: Query = mark === -1 ? {} : parse(url.slice(mark + 1), '&', '=', { maxKeys: 0 })
  for (const name of Object.keys(query)) {
    if (name.length >= CHANNEL.length && name !== CHANNEL && isChannel(name)) {
      throw new ERR_CHANNEL(
        `is misspelled as ${JSON.stringify(name.slice(0, 40))}: repeat 'channel' for several channels`,
      )
    }
  }
  known = { url, query }
  return query
}

/** Matches `channels`, `Channel`, `channel[]`, `channel[0]` and the like. */
function isChannel(name: string): boolean {
  const [bare] = name.trim().toLowerCase().split('[', 1)
  return bare === CHANNEL || bare === `${CHANNEL}s`
}
