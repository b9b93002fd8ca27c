// A live list of the orders of the logged-in customer: node --import tsx examples/dashboard/server.ts
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { build as bundle } from 'esbuild'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import tidings from 'fastify-tidings'
import { channelOf, Orders } from './orders.ts'
import type { Database } from './outbox.ts'
import { type Claims, sign, verify } from './token.ts'

const PAGE = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>Orders</title>
  <main></main>
  <script type="module" src="page.js"></script>
</html>`

/** Seconds. */
const HOUR = 3600

export async function build(
  db: Database,
  { secret = randomBytes(32).toString('hex'), logger = false } = {},
): Promise<{ app: FastifyInstance; orders: Orders }> {
  const app = Fastify({ logger })

  function claimsOf({ headers, query }: FastifyRequest): Claims {
    // A browser's WebSocket cannot set headers, so the client sends the token in the query.
    const { access_token: inAddress } = query as { access_token?: string }
    const claims = verify(headers.authorization?.replace(/^Bearer /, '') ?? inAddress, secret)
    if (claims !== undefined) return claims
    throw Object.assign(new Error('Log in'), { statusCode: 401, headers: { 'www-authenticate': 'Bearer' } })
  }

  await app.register(tidings, {
    prefix: '/live',
    publish: false,
    authorize(request, { action, channels }) {
      const { sub, exp } = claimsOf(request)
      if (action !== 'subscribe' || channels.some((channel) => channel !== channelOf(sub))) return false
      return { until: exp * 1000 }
    },
  })
  const orders = new Orders(db, app.tidings)
  await orders.outbox.flush()

  app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(PAGE))
  app.get('/page.js', async (_request, reply) => {
    const { outputFiles } = await bundle({
      entryPoints: [fileURLToPath(new URL('page.ts', import.meta.url))],
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2022',
      define: { 'process.env.NODE_ENV': '"production"' },
    })
    return reply.type('text/javascript').send(outputFiles[0]!.text)
  })
  // A real login would require a password.
  app.post('/login', () => {
    const customer = 'ada'
    return { customer, token: sign({ sub: customer, exp: Math.floor(Date.now() / 1000) + HOUR }, secret) }
  })
  app.get('/orders', (request) => orders.snapshot(claimsOf(request).sub))
  return { app, orders }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // Requires Node 22.13 or later. TypeScript may lack its types.
  const { DatabaseSync } = (await import('node:sqlite' as string)) as {
    DatabaseSync: new (path: string) => Database
  }
  const { app, orders } = await build(new DatabaseSync('orders.db'), { logger: true })
  const timer = setInterval(
    () => void orders.add('ada', 1 + Math.floor(Math.random() * 5), 1 + Math.floor(Math.random() * 100)),
    1000,
  )
  app.addHook('onClose', async () => clearInterval(timer))
  await app.listen({ port: Number(process.env.PORT ?? 3000) })
}
