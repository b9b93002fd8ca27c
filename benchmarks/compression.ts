import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import Fastify from 'fastify'
import tidings from 'fastify-tidings'
import { median } from './fanout/median.ts'

/*
 * What compression saves in bytes, and costs in the CPU of the server, for each message. The same server serves those
 * who take it and those who do not, by turns; the readers are in a process of their own.
 */

const PLAN = { sizes: [128, 1024, 16_384], readers: [1, 100], rounds: 5, messages: 300 }

/** Messages that are published before the readers may catch up, each in a turn of its own, and how long they may. */
const BURST = { messages: 10, pause: 4 }

const TRANSPORTS = { sse: 'Accept-Encoding: gzip', ws: 'Sec-WebSocket-Extensions: permessage-deflate' }
type Name = keyof typeof TRANSPORTS

function request(name: Name, compressed: boolean): string {
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
  ]
  const lines = [
    `GET /${name} HTTP/1.1`,
    'Host: localhost',
    ...(name === 'ws' ? upgrade : []),
    ...(compressed ? [TRANSPORTS[name]] : []),
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Reads, and tells on demand how many bytes have come. */
function read(port: number, name: Name, compressed: boolean, count: number): void {
  let bytes = 0
  for (let i = 0; i < count; i++) {
    const socket = connect(port, '127.0.0.1')
    socket.write(request(name, compressed))
    socket.on('data', (part) => {
      bytes += part.length
    })
  }
  process.on('message', () => process.send!(bytes))
  process.on('disconnect', () => process.exit())
}

/** A list of things as an API has them, as JSON of about that size. */
function thingsOf(size: number, seed: number): object {
  const things = []
  let at = seed * 7919 + 1
  const next = (below: number) => {
    at = (at * 48_271) % 2_147_483_647
    return at % below
  }
  const names = ['harbour', 'lantern', 'meadow', 'copper', 'willow', 'quarry', 'saffron', 'juniper']
  for (let length = 0; length < size - 60; length = JSON.stringify(things).length) {
    const name = `${names[next(8)]} ${names[next(8)]}`
    things.push({ id: next(1_000_000), name, price: next(100_000) / 100, open: next(2) === 0 })
  }
  return things
}

interface Round {
  /** Microseconds of the server's CPU for each message. */
  readonly cpu: number
  /** Bytes that each reader gets for each message. */
  readonly bytes: number
}

async function main(): Promise<void> {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(tidings, { compression: { threshold: 0 }, retention: { messages: 1000 } })
  const port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port)

  async function round(name: Name, compressed: boolean, count: number, size: number): Promise<Round> {
    const child = fork(fileURLToPath(import.meta.url), [port, name, compressed, count].map(String))
    const told = async () => {
      child.send('bytes')
      return (await once(child, 'message'))[0] as number
    }
    const all = async () => {
      while (app.tidings.readers('default') < count) await wait(1)
    }
    const settled = async () => {
      for (let before = -1, now = await told(); before !== now; now = await told()) {
        before = now
        await wait(20)
      }
      return told()
    }
    const data = Array.from({ length: 20 }, (_, i) => thingsOf(size, i))
    const run = async (messages: number) => {
      for (let i = 0; i < messages; i++) {
        await app.tidings.publish('default', data[i % data.length])
        await turn()
        if (i % BURST.messages === 0) await wait(BURST.pause)
        await all()
      }
    }
    await all()
    // Hot, as a server is that has done so for a while.
    await run(300)
    const before = await settled()
    const began = process.cpuUsage()
    await run(PLAN.messages)
    const { user, system } = process.cpuUsage(began)
    const bytes = (await settled()) - before
    child.disconnect()
    await once(child, 'exit')
    while (app.tidings.readers('default') > 0) await wait(1)
    return { cpu: (user + system) / PLAN.messages, bytes: bytes / PLAN.messages / count }
  }

  const middle = (values: number[], digits: number) => {
    const all = values.map((value) => value.toFixed(digits))
    const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits))
    return `${median(all.map(Number))} (${least} to ${most})`
  }
  process.stdout.write(
    `Node ${process.version}, ${PLAN.rounds} rounds of ${PLAN.messages} messages; medians (least to most)\n\n` +
      '| transport | JSON | readers | bytes, plain | compressed | µs of CPU a message, plain | compressed |\n' +
      '|---|---:|---:|---:|---:|---:|---:|\n',
  )
  for (const name of Object.keys(TRANSPORTS) as Name[]) {
    for (const size of PLAN.sizes) {
      for (const count of PLAN.readers) {
        const plain: Round[] = []
        const compressed: Round[] = []
        for (let i = 0; i < PLAN.rounds; i++) {
          plain.push(await round(name, false, count, size))
          compressed.push(await round(name, true, count, size))
        }
        const cells = [
          name,
          `${size} B`,
          count,
          median(plain.map(({ bytes }) => bytes)).toFixed(0),
          median(compressed.map(({ bytes }) => bytes)).toFixed(0),
          middle(
            plain.map(({ cpu }) => cpu),
            0,
          ),
          middle(
            compressed.map(({ cpu }) => cpu),
            0,
          ),
        ]
        process.stdout.write(`| ${cells.join(' | ')} |\n`)
      }
    }
  }
  await app.close()
}

const [port, name, compressed, count] = process.argv.slice(2)
if (port === undefined) await main()
else read(Number(port), name as Name, compressed === 'true', Number(count))
