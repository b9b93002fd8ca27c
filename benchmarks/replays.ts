import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import Fastify from 'fastify'
import tidings, { memoryBus } from 'fastify-tidings'

/*
 * Measures how many concurrent replays affect other clients: the duration of event loop turns by wall clock and CPU
 * time, and the latency of a live reader that receives a message every 20 ms. A separate process reads the replays at
 * full speed.
 */

/** Messages in the log, bytes of each, and the numbers of concurrent replays to measure. */
const PLAN = { messages: 100_000, payload: 120, replays: [100, 1000] }

/** Milliseconds between two live messages. */
const PERIOD = 20

/** Milliseconds after which a run fails. */
const LIMIT = 300_000

function request(query: string): string {
  return `GET /sse?${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`
}

/** Reads `count` replays to their ends, then exits. */
function readAll(port: number, count: number, bytes: number): void {
  let open = count
  for (let i = 0; i < count; i++) {
    let left = bytes
    const socket = connect(port, '127.0.0.1')
    socket.write(request('cursor=earliest'))
    socket.on('data', (part) => {
      left -= part.length
      if (left <= 0) socket.destroy()
    })
    socket.once('close', () => {
      if (--open === 0) process.exit()
    })
  }
  setTimeout(() => process.exit(1), LIMIT).unref()
}

/** Records each event loop turn until stopped: milliseconds by wall clock, and of CPU. */
function watchTurns(): { readonly clock: number[]; readonly cpu: number[]; end(): void } {
  const clock: number[] = []
  const cpu: number[] = []
  let at = performance.now()
  let used = process.cpuUsage()
  let next: NodeJS.Immediate
  const look = () => {
    const { user, system } = process.cpuUsage(used)
    cpu.push((user + system) / 1000)
    clock.push(performance.now() - at)
    used = process.cpuUsage()
    at = performance.now()
    next = setImmediate(look)
  }
  next = setImmediate(look)
  return { clock, cpu, end: () => clearImmediate(next) }
}

function percentile(values: number[], part: number): string {
  return (values.sort((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN).toFixed(1)
}

async function main(): Promise<void> {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(tidings, { bus: memoryBus({ messages: PLAN.messages, bytes: 2 ** 30 }) })
  const port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port)
  let bytes = 0
  for (let i = 0; i < PLAN.messages; i++) {
    const { cursor } = await app.tidings.publish('default', 'x'.repeat(PLAN.payload))
    bytes += PLAN.payload + 2 * cursor.length
  }

  let delays: number[] = []
  const live = connect(port, '127.0.0.1')
  live.write(request('channel=live'))
  let text = ''
  live.on('data', (part) => {
    const lines = (text + part).split('\n')
    text = lines.pop()!
    for (const line of lines) {
      const at = /"data":([0-9.]+)\}/.exec(line)?.[1]
      if (at !== undefined) delays.push(performance.now() - Number(at))
    }
  })
  const timer = setInterval(() => void app.tidings.publish('live', performance.now()), PERIOD)

  process.stdout.write(
    `Node ${process.version}, ${PLAN.messages.toLocaleString('en')} messages of ${PLAN.payload} bytes; milliseconds\n\n` +
      '| replays | turn p99 | turn p99.9 | longest | turn CPU p99 | live delay p50 | p99 |\n' +
      '|---:|---:|---:|---:|---:|---:|---:|\n',
  )
  for (const count of PLAN.replays) {
    delays = []
    const turns = watchTurns()
    const reader = fork(fileURLToPath(import.meta.url), [port, count, bytes].map(String))
    const [code] = await once(reader, 'exit')
    turns.end()
    if (code !== 0) throw new Error(`${count} replays did not finish in time`)
    const { clock, cpu } = turns
    const cells = [
      count.toLocaleString('en'),
      percentile(clock, 0.99),
      percentile(clock, 0.999),
      percentile(clock, 1 - 1 / clock.length),
      percentile(cpu, 0.99),
      percentile(delays, 0.5),
      percentile(delays, 0.99),
    ]
    process.stdout.write(`| ${cells.join(' | ')} |\n`)
  }
  clearInterval(timer)
  live.destroy()
  await app.close()
}

const [port, count, bytes] = process.argv.slice(2).map(Number)
if (port === undefined) await main()
else readAll(port, count!, bytes!)
