import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import Fastify from 'fastify'
import tidings from 'fastify-tidings'
import { baselines } from './baselines.ts'
import type { Implementation } from './implementation.ts'
import { nchan } from './nchan.ts'
import { reference } from './reference.ts'

/*
 * One implementation in its own process: `server.ts KIND TRANSPORT PAYLOAD CHANNELS`. One byte on a control connection
 * publishes one message. The process reports CPU and memory over IPC.
 */

export type TransportName = 'ws' | 'sse' | 'longpoll' | 'poll'

async function ours(stats = false, fastPath = true): Promise<Implementation> {
  const app = Fastify()
  await app.register(tidings, {
    stats,
    fastPath,
    retention: { messages: 100_000, bytes: 2 ** 30 },
    maxReaders: 100_000,
    // The load does not answer pings, and the reference sends none.
    heartbeat: { ws: 3_600_000 },
    // When a thousand readers in one process replay the log, each waits for its turn.
    slowConsumer: { timeout: 3_600_000 },
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    port: (app.server.address() as AddressInfo).port,
    publish(channel, data) {
      void app.tidings.publish(channel, data)
    },
  }
}

const [kind, transport, payload, channels] = process.argv.slice(2) as [string, TransportName, string, string]
const sides: Record<string, () => Promise<Implementation>> = {
  ...baselines,
  nchan,
  ours,
  plain: () => ours(false, false),
  stats: () => ours(true),
  reference: reference[transport],
}
const side = await sides[kind]!()
// The marker by which the load counts messages.
const data = `!${'x'.repeat(Number(payload) - 1)}`
const count = Number(channels)
let published = 0

const control = createServer((socket) => {
  socket.setNoDelay(true)
  socket.on('data', (bytes) => {
    for (let i = 0; i < bytes.length; i++) side.publish(`c${published++ % count}`, data)
  })
  socket.on('error', () => {})
})
await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve))
process.send!({ port: side.port, control: (control.address() as AddressInfo).port })

process.on('message', (wish: 'usage' | 'memory') => {
  if (wish === 'memory') for (let i = 0; i < 4; i++) globalThis.gc!()
  const { user, system } = process.cpuUsage()
  const { heapUsed, external, rss } = process.memoryUsage()
  process.send!({
    cpu: side.cpu?.() ?? user + system,
    memory: heapUsed + external,
    rss,
    at: Number(process.hrtime.bigint() / 1000n),
  })
})
process.on('disconnect', () => {
  side.close?.()
  process.exit()
})
