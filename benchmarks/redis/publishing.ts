import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { Child } from '../processes/child.ts'
import { show } from '../table.ts'
import { Figures, type Row } from './figures.ts'
import type { InstanceApi } from './instance.ts'
import { BYTES, type RedisBench, reached } from './sections.ts'
import type { Durability, RedisServer } from './server.ts'

const exec = promisify(execFile)

/** Concurrent publishes: as many as a batch holds. */
const OUTSTANDING = 256
const MS = 1500

const TARGETS: Readonly<Record<Durability, number>> = { 'no file': 100_000, always: 20_000 }

/** Compares `publish` in a process with its Redis script, called by redis-benchmark with the same batch. */
export async function publishing({ servers, rounds, progress }: RedisBench): Promise<Row[]> {
  const lines: Row[] = []
  for (const durability of ['no file', 'always'] as const) {
    const redis = servers[durability]
    await redis.empty()
    const [ours, bare, ratio, batch] = [new Figures(), new Figures(), new Figures(), new Figures()]
    const instance = new Child<InstanceApi>('../redis/instance')
    await instance.call('open', { url: redis.url })
    const job = { ms: MS, outstanding: OUTSTANDING, bytes: BYTES, channels: 4 }
    await instance.call('publish', job)
    const call = await sample(redis, () => instance.call('publish', { ...job, ms: 200 }))
    for (let round = 0; round < rounds; round++) {
      progress(`publishing, ${durability}: round ${round + 1} of ${rounds}`)
      const turns = [
        async () => {
          // It must have followed all that redis-benchmark has appended.
          await reached(instance, Number(await redis.cli('HGET', metaOf(call), 'head')))
          await redis.reset()
          const before = (await instance.call('usage', {})).head
          ours.add(await instance.call('publish', job))
          const count = (await instance.call('usage', {})).head - before
          batch.add(count / (await redis.calls(/^evalsha$/)))
        },
        async () => bare.add(await called(redis, call)),
      ]
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn()
      ratio.add(ours.values.at(-1)! / bare.values.at(-1)!)
    }
    await instance.call('close', undefined)
    await instance.stop()
    lines.push(
      {
        what: `publish in process, ${durability}, messages/s, ${show(batch.median)} per call`,
        ours: ours.text,
        against: `redis-benchmark: ${bare.text}, ${messagesOf(call)} per call`,
        ratio: ratio.text,
        target: ['at least 0.6', ratio.median >= 0.6],
      },
      {
        what: `publish in process, ${durability}, messages/s`,
        ours: ours.text,
        target: [`at least ${show(TARGETS[durability])}`, ours.median >= TARGETS[durability]],
      },
    )
  }
  return lines
}

/** Returns the position of the writer's key in a call: the last key. The number of keys is the third argument. */
function writerOf(call: readonly string[]): number {
  return 2 + Number(call[2])
}

/** Returns the number of messages of a call: the argument before the last, which flags marked messages. */
function messagesOf(call: readonly string[]): number {
  return Number(call.at(-2))
}

/** Captures the call of the append script with the most messages, as seen by Redis. */
async function sample(redis: RedisServer, work: () => Promise<unknown>): Promise<string[]> {
  const monitor = spawn('redis-cli', ['-p', `${redis.port}`, 'MONITOR'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  monitor.stdout.setEncoding('utf8').on('data', (part) => {
    text += part
  })
  while (!text.includes('OK')) await once(monitor.stdout, 'data')
  await work()
  monitor.kill()
  await once(monitor, 'close')
  const calls = text
    .split('\n')
    .filter((line) => /\] "evalsha" /i.test(line) && line.endsWith('"'))
    .map(argsOf)
    // Other scripts run, too: only this one has a line for each message.
    .filter((call) => call.at(-3)?.split('\n').length === messagesOf(call))
  const most = calls.sort((a, b) => messagesOf(b) - messagesOf(a))[0]
  if (most === undefined) throw new Error(`Found no call in: ${text.slice(0, 1000)}`)
  return most
}

/** Parses the arguments in a line of MONITOR. */
function argsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, escaped]) =>
    escaped!.replace(/\\(["\\])/g, '$1').replace(/\\n/g, '\n'),
  )
}

let runs = 0

/** Repeats the same call, one at a time. @returns messages per second */
async function called(redis: RedisServer, call: readonly string[]): Promise<number> {
  const args = [...call]
  // Each call needs its own writer, since Redis does not append the same batch of a writer twice.
  const run = async (count: number) => {
    // redis-benchmark generates the same numbers in each run.
    args[writerOf(call)] = `${call[writerOf(call)]}:${++runs}:__rand_int__`
    const began = performance.now()
    const { stdout } = await exec(
      'redis-benchmark',
      ['-p', `${redis.port}`, '-c', '1', '-n', `${count}`, '-r', '2000000000', '--csv', ...args],
      { maxBuffer: 2 ** 24 },
    )
    // The line starts with the test's name, which contains the whole call. The rate is followed by six latency figures.
    const rate = Number(/,"([\d.]+)"(?:,"[\d.]+"){6}\s*$/.exec(stdout)?.[1])
    if (!(rate > 0)) throw new Error(`unexpected output of redis-benchmark: ${stdout.slice(-500)}`)
    return { rate, ms: performance.now() - began }
  }
  const head = async () => Number(await redis.cli('HGET', metaOf(call), 'head'))
  const before = await head()
  const first = await run(50)
  const { rate } = await run(Math.ceil((first.rate * MS) / 1000))
  const appended = (await head()) - before
  const calls = 50 + Math.ceil((first.rate * MS) / 1000)
  if (appended < 0.999 * calls * messagesOf(call))
    throw new Error(`${calls} calls of ${messagesOf(call)} messages appended ${appended}`)
  return rate * messagesOf(call)
}

/** Returns the key that stores the log's head. */
function metaOf(call: readonly string[]): string {
  return call[4]!
}
