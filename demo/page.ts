import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

const ROOT = fileURLToPath(new URL('./public/', import.meta.url))

/** Allows nothing from other hosts, no inline scripts or styles, and no framing. */
const POLICY =
  "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

/** The parts of the page, and the route that each one needs. */
const PARTS = {
  publish: ['POST', '/publish'],
  poll: ['GET', '/poll'],
  longpoll: ['GET', '/longpoll'],
  sse: ['GET', '/sse'],
  ws: ['GET', '/ws'],
  echo: ['GET', '/echo'],
  stats: ['GET', '/stats'],
  demo: ['GET', '/demo/tap'],
} as const

/** Serves the page at the scope's prefix, and `page.json`, which lists the available parts. */
export async function page(app: FastifyInstance): Promise<void> {
  await app.register(fastifyStatic, {
    root: ROOT,
    cacheControl: false,
    decorateReply: false,
    // The build writes compressed files beside the originals.
    preCompressed: true,
    setHeaders(reply) {
      reply.header('content-security-policy', POLICY)
      reply.header('x-content-type-options', 'nosniff')
      reply.header('referrer-policy', 'no-referrer')
      reply.header('cache-control', 'no-cache')
    },
  })
  app.get('/page.json', { exposeHeadRoute: false }, (_request, reply) => {
    const parts = Object.entries(PARTS).map(([name, [method, url]]) => [
      name,
      app.hasRoute({ method, url: `${app.prefix}${url}` }),
    ])
    reply.header('cache-control', 'no-cache').send(Object.fromEntries(parts))
  })
  // The page's URLs are relative, so a prefix needs a trailing slash.
  if (app.prefix !== '') app.get('', (_request, reply) => reply.redirect(`${app.prefix}/`))
}
