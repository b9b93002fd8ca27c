import { Child } from '../processes/child.ts'
import { show } from '../table.ts'
import { Figures, quantile, type Row } from './figures.ts'
import type { InstanceApi } from './instance.ts'
import type { Durability, RedisServer } from './server.ts'

/** Bytes of a message's text. */
export const BYTES = 128

/** The context of a section. */
export interface RedisBench {
  readonly servers: Readonly<Record<Durability, RedisServer>>
  readonly rounds: number
  progress(text: string): void
}

type Instance = Child<InstanceApi>

/** Runs the work with `count` instances, then stops them. @returns the result of the work */
async function withInstances<T>(count: number, work: (instances: Instance[]) => Promise<T>): Promise<T> {
  const instances = Array.from({ length: count }, () => new Child<InstanceApi>('../redis/instance'))
  try {
    return await work(instances)
  } finally {
    for (const instance of instances) {
      await instance.call('close', undefined)
      await instance.stop()
    }
  }
}

/** Delay from the publish call to a subscriber loop in milliseconds, at 100 messages per second. */
export async function delay({ servers, rounds, progress }: RedisBench): Promise<Row[]> {
  const kinds = ['memory', 'no file', 'always'] as const
  const p50 = { memory: new Figures(), 'no file': new Figures(), always: new Figures() }
  const p99 = { memory: new Figures(), 'no file': new Figures(), always: new Figures() }
  for (let round = 0; round < rounds; round++) {
    progress(`delay: round ${round + 1} of ${rounds}`)
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      await withInstances(1, async ([instance]) => {
        if (kind !== 'memory') await servers[kind].empty()
        await instance!.call('open', kind === 'memory' ? {} : { url: servers[kind].url })
        const delays = await instance!.call('delays', { rate: 100, count: 200, bytes: BYTES })
        p50[kind].add(quantile(delays, 0.5))
        p99[kind].add(quantile(delays, 0.99))
      })
    }
  }
  return (['no file', 'always'] as const).map((kind) => {
    const added = p50[kind].median - p50.memory.median
    const target = kind === 'always' ? 2 : 1
    return {
      what: `delay at 100 messages/s, ${kind}, ms: p50; p99`,
      ours: `${p50[kind].text}; ${p99[kind].text}`,
      against: `memory: ${p50.memory.text}; ${p99.memory.text}`,
      ratio: `+ ${show(added)}`,
      target: [`p50 less than ${target} ms higher`, added < target],
    }
  })
}

/** A full log of the default retention: load time, and bytes per message. */
export async function load({ servers, rounds, progress }: RedisBench): Promise<Row[]> {
  const { 'no file': redis } = servers
  await redis.empty()
  const before = await redis.info('used_memory')
  const took = new Figures()
  const heap = new Figures()
  let head = 0
  let messages = 0
  const [bytes, stored] = await withInstances(1, async ([writer]) => {
    progress('load: filling the log')
    await writer!.call('open', { url: redis.url })
    // More than the retention in bytes allows, spread over channels that stay within their limits.
    await writer!.call('fill', { count: 240_000, bytes: BYTES, channels: 30 })
    const count = await storedIn(redis)
    return [(await redis.info('used_memory')) - before, count] as const
  })
  for (let round = 0; round < rounds; round++) {
    progress(`load: round ${round + 1} of ${rounds}`)
    await withInstances(1, async ([instance]) => {
      const { heap: empty } = await instance!.call('usage', { collect: true })
      took.add((await instance!.call('open', { url: redis.url })) / 1000)
      const after = await instance!.call('usage', { collect: true })
      head = after.head
      messages = after.messages
      heap.add((after.heap - empty) / messages)
    })
  }
  return [
    {
      what: `loading a full default log, ${show(messages)} messages of ${BYTES} B, s`,
      ours: took.text,
      target: ['under 2 s', took.median < 2],
    },
    {
      what: `bytes/message in Redis, ${show(stored)} messages (head ${show(head)})`,
      ours: show(bytes / stored),
    },
    { what: 'bytes/message in an instance', ours: heap.text },
  ]
}

/**
 * Returns the number of messages in Redis: those in the log's tail, also if no channel keeps them any more, and those
 * that were moved out of it.
 */
async function storedIn(redis: RedisServer): Promise<number> {
  const [start = 0, head = 0] = (await redis.cli('HMGET', '{tidings}:meta', 'start', 'head'))
    .split('\n')
    .map(Number)
  return head - start + Number(await redis.cli('ZCARD', '{tidings}:kept'))
}

/** The CPU cost of following 20,000 messages per second in bursts, and the wake-ups. */
export async function following({ servers, rounds, progress }: RedisBench): Promise<Row[]> {
  const { 'no file': redis } = servers
  const [cost, wakes, busy] = [new Figures(), new Figures(), new Figures()]
  for (let round = 0; round < rounds; round++) {
    progress(`following: round ${round + 1} of ${rounds}`)
    await withInstances(2, async ([writer, follower]) => {
      await redis.empty()
      await writer!.call('open', { url: redis.url })
      await follower!.call('open', { url: redis.url })
      const run = async (job: { rate: number; every: number; ms: number }) => {
        await redis.reset()
        const before = await follower!.call('usage', {})
        const began = performance.now()
        const count = await writer!.call('burst', { ...job, bytes: BYTES })
        await reached(follower!, before.head + count)
        const after = await follower!.call('usage', {})
        const reads = await redis.calls(/^xread$/)
        // On a slow machine, it takes longer than planned.
        const seconds = (performance.now() - began) / 1000
        return { cpuMs: after.cpuMs - before.cpuMs, count, readsPerSecond: reads / seconds }
      }
      await run({ rate: 20_000, every: 50, ms: 1500 })
      const idle = await follower!.call('usage', {})
      await new Promise((resolve) => setTimeout(resolve, 1000))
      const rest = (await follower!.call('usage', {})).cpuMs - idle.cpuMs
      const bursts = await run({ rate: 20_000, every: 50, ms: 3000 })
      cost.add(((bursts.cpuMs - rest * 3) * 1000) / bursts.count)
      // One message at a time, with two instances that follow.
      const single = await run({ rate: 5000, every: 1, ms: 2000 })
      wakes.add(single.readsPerSecond / 2)
      busy.add((single.cpuMs * 1000) / single.count)
    })
  }
  return [
    {
      what: 'following 20,000 messages/s in bursts of 1,000, CPU µs/message',
      ours: cost.text,
      target: ['under 4 µs', cost.median < 4],
    },
    {
      what: 'wake-ups of an instance by the feed at 5,000 messages/s one by one, per second',
      ours: wakes.text,
      target: ['at most 500', wakes.median <= 500],
    },
    { what: 'following 5,000 messages/s one by one, CPU µs/message', ours: busy.text },
  ]
}

/** Waits until an instance has followed the log to a head. */
export async function reached(instance: Instance, head: number): Promise<void> {
  while ((await instance.call('usage', {})).head < head)
    await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Server CPU per delivery with a thousand sockets on one instance. */
export async function readers({ servers, rounds, progress }: RedisBench): Promise<Row[]> {
  const count = 1000
  const rate = 40
  const kinds = ['memory', 'redis'] as const
  const cost = { memory: new Figures(), redis: new Figures() }
  for (let round = 0; round < rounds; round++) {
    progress(`readers: round ${round + 1} of ${rounds}`)
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      await withInstances(2, async ([server, clients]) => {
        await servers['no file'].empty()
        await server!.call('open', kind === 'memory' ? {} : { url: servers['no file'].url })
        const url = await server!.call('listen', undefined)
        await clients!.call('connect', { url, count })
        const run = async (ms: number) => {
          const before = await server!.call('usage', {})
          const had = await clients!.call('received', undefined)
          const sent = await server!.call('burst', { rate, every: 1000 / rate, ms, bytes: BYTES })
          while ((await clients!.call('received', undefined)) < had + sent * count) {
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
          return (((await server!.call('usage', {})).cpuMs - before.cpuMs) * 1000) / (sent * count)
        }
        await run(1500)
        cost[kind].add(await run(3000))
      })
    }
  }
  const ratio = cost.memory.median / cost.redis.median
  return [
    {
      what: `${show(count)} WebSocket readers at ${rate} messages/s, server CPU µs/delivery`,
      ours: cost.redis.text,
      against: `memory: ${cost.memory.text}`,
      ratio: show(ratio),
      target: ['at least 0.9', ratio >= 0.9],
    },
  ]
}

/** The cost of one more instance for Redis, and of a wake-up. */
export async function growth({ servers, progress }: RedisBench): Promise<Row[]> {
  const { 'no file': redis } = servers
  const rate = 400
  const ms = 2000
  const points: { instances: number; cpu: number; wakes: number }[] = []
  for (const instances of [1, 2, 4, 8]) {
    progress(`growth: ${instances} instances`)
    await withInstances(2, async ([writer, followers]) => {
      await redis.empty()
      await writer!.call('open', { url: redis.url })
      if (instances > 1) await followers!.call('open', { url: redis.url, count: instances - 1 })
      await writer!.call('burst', { rate, every: 1000 / rate, ms: 500, bytes: BYTES })
      await redis.reset()
      const before = await redis.cpu()
      await writer!.call('burst', { rate, every: 1000 / rate, ms, bytes: BYTES })
      const cpu = (await redis.cpu()) - before
      points.push({ instances, cpu: (cpu / ms) * 1000, wakes: (await redis.calls(/^xread$/)) / (ms / 1000) })
    })
  }
  const [first, last] = [points[0]!, points.at(-1)!]
  const aWake = ((last.cpu - first.cpu) * 1000) / (last.wakes - first.wakes)
  return [
    {
      what: `Redis at ${rate} messages/s, CPU ms/s: 1, 2, 4 and 8 instances`,
      ours: points.map(({ cpu }) => show(cpu)).join(', '),
    },
    { what: 'Redis, CPU µs per wake-up of an instance', ours: show(aWake) },
  ]
}
