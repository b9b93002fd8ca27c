import { openSync, writeSync } from 'node:fs'
import Fastify from 'fastify'
import tidings, { memoryBus } from '../../index.ts'
import { KEY_AGE } from './key-age.ts'
import { type Published, payloadOf } from './payload.ts'

/*
 * The server under chaos, a process of its own: `server.ts PORT FILE RETENTION`. What its log takes is written to FILE
 * before anybody can be given it: a kill at any moment leaves the record whole.
 */

const [port, file, retention] = process.argv.slice(2) as [string, string, string]
const bus = memoryBus({ messages: Number(retention), age: Number.POSITIVE_INFINITY, keyAge: KEY_AGE })
const record = openSync(file, 'a')
writeSync(record, `epoch ${bus.log.epoch}\n`)
const append = bus.log.append.bind(bus.log)
bus.log.append = (channel, payload, ...rest) => {
  const { id } = JSON.parse(payload.json) as Published
  writeSync(record, `${bus.log.head + 1} ${channel} ${id}\n`)
  return append(channel, payload, ...rest)
}

const app = Fastify({ forceCloseConnections: true })
await app.register(tidings, {
  bus,
  publish: true,
  stats: true,
  heartbeat: { sse: 500, ws: 2000 },
  slowConsumer: { bytes: 256 * 1024, timeout: 5000 },
})
const url = await app.listen({ host: '127.0.0.1', port: Number(port) })

export type Order =
  | { publish: { channel: string; id: number; size: number } }
  | { measure: true }
  | { end: true }

export type News =
  | { url: string; epoch: string }
  | { published: number; cursor: string }
  | { heap: number; watching: number; connections: number }

const tell = (news: News) => process.send!(news)

process.on('message', async (order: Order) => {
  if ('publish' in order) {
    const { channel, id, size } = order.publish
    const { cursor } = await app.tidings.publish(channel, payloadOf(id, size), { key: `${id}` })
    tell({ published: id, cursor })
  } else if ('measure' in order) {
    globalThis.gc!()
    const { heapUsed } = process.memoryUsage()
    app.server.getConnections((_error, connections) =>
      tell({ heap: heapUsed, watching: bus.log.groups.watching, connections }),
    )
  } else process.exit()
})
process.on('disconnect', () => process.exit())
tell({ url, epoch: bus.log.epoch })
