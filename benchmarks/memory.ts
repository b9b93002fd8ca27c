import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Log, memoryBus, textPayload } from 'fastify-tidings/bus'

/*
 * Measures the memory per message in the log, and the time of a read after a random cursor. Each case runs in its own
 * process.
 */

interface Case {
  readonly name: string
  readonly messages: number
  readonly channels: number
  readonly payload: number
}

const CASES: readonly Case[] = [
  { name: '100,000 channels of one message', messages: 100_000, channels: 100_000, payload: 128 },
  { name: 'one channel', messages: 1_000, channels: 1, payload: 128 },
  { name: 'one channel', messages: 100_000, channels: 1, payload: 128 },
  { name: 'one channel', messages: 1_000_000, channels: 1, payload: 128 },
]

interface Figures {
  /** Bytes per message, heap and external. */
  memory: number
  /** Bytes per message as counted by `retention.bytes`. */
  counted: number
  /** Median nanoseconds to read one message, and a hundred. */
  one: number
  hundred: number
}

const READS = 20_000

function used(): number {
  for (let i = 0; i < 3; i++) globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function measure({ messages, channels, payload }: Case): Promise<Figures> {
  const bus = memoryBus({ messages, age: Infinity, bytes: 2 ** 40 })
  const { log } = bus
  // Allocate the fixed costs of the log first.
  await bus.publish('warm-up', textPayload('x'))
  const before = used()
  const warm = log.kept.bytes
  const text = 'x'.repeat(payload - 8)
  for (let i = 0; i < messages; i++) {
    await bus.publish(`channel-${i % channels}`, textPayload(text + String(i).padStart(8, '0')))
  }
  const memory = (used() - before) / messages
  const counted = (log.kept.bytes - warm) / messages
  const one = timeReads(log, channels, 1)
  const hundred = timeReads(log, channels, 100)
  await bus.close()
  return { memory, counted, one, hundred }
}

/** Measures reads after random cursors. Each read gets a new bound object, which prevents a cached result. */
function timeReads(log: Log, channels: number, limit: number): number {
  const times = new Float64Array(READS)
  for (let i = -READS / 10; i < READS; i++) {
    const after = 1 + Math.floor(Math.random() * (log.head - 1))
    const names = [`channel-${(after - 1) % channels}`]
    const bound = { limit, bytes: 2 ** 20 }
    const start = process.hrtime.bigint()
    log.read(names, after, bound)
    if (i >= 0) times[i] = Number(process.hrtime.bigint() - start)
  }
  return times.sort()[READS / 2]!
}

async function main(): Promise<void> {
  process.stdout.write(
    `Node ${process.version}, payloads of ${CASES[0]!.payload} bytes; reads start after a random cursor (medians)\n\n` +
      '| log | messages | bytes/message | as counted by retention | read of 1 | read of 100 |\n' +
      '|---|---:|---:|---:|---:|---:|\n',
  )
  for (const [i, { name, messages }] of CASES.entries()) {
    const child = fork(fileURLToPath(import.meta.url), [String(i)], {
      execArgv: ['--expose-gc', '--max-old-space-size=4096'],
    })
    const [figures] = (await once(child, 'message')) as [Figures]
    const cells = [
      name,
      messages.toLocaleString('en'),
      figures.memory.toFixed(0),
      figures.counted.toFixed(0),
      `${(figures.one / 1000).toFixed(2)} µs`,
      `${(figures.hundred / 1000).toFixed(2)} µs`,
    ]
    process.stdout.write(`| ${cells.join(' | ')} |\n`)
  }
}

const which = process.argv[2]
if (which === undefined) await main()
else process.send!(await measure(CASES[Number(which)]!))
