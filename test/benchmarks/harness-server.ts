import Fastify from 'fastify'
import { tidings } from '../../index.ts'

/** The server that both measurements use: the plugin, with three-digit message numbers. */
const app = Fastify()
await app.register(tidings, { publish: true, stats: true, echo: true })
for (let i = 0; i < 100; i++) await app.tidings.publish('before', i)
await app.listen({ host: '127.0.0.1', port: 0 })
process.send!((app.server.address() as { port: number }).port)
process.on('disconnect', () => process.exit())
