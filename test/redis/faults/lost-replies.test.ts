import t, { type Test } from 'tap'
import type { Bus, Host } from '../../../bus/bus.ts'
import { textPayload } from '../../../bus/payload.ts'
import { Link } from '../../../bus/redis/link.ts'
import { redisBus } from '../../../bus/redis.ts'
import { turn } from '../../bus/fixture.ts'
import { Line } from '../line.ts'
import { ALWAYS, RedisServer } from '../server.ts'
import { faults } from './table.ts'

/*
 * A proxy that loses a command and keeps the connection. Redis names no command in a reply, so the reply of the next
 * command must not be taken for the lost one's.
 */

const HOST: Host = { patience: 60_000, warn: () => {} }

async function open(t: Test, url: string): Promise<Bus> {
  const bus = redisBus({ url })
  t.teardown(() => bus.close())
  await bus.open!(HOST)
  return bus
}

/** Publishes a message, again until it is accepted, with a key: it is there once. */
async function publish(bus: Bus, text: string): Promise<string> {
  for (;;) {
    try {
      const { epoch, seq } = await bus.publish('a', textPayload(text), text)
      return `${epoch}.${seq} ${text}`
    } catch (error) {
      if ((error as { code?: string }).code !== 'TIDINGS_ERR_UNAVAILABLE') throw error
      await turn()
    }
  }
}

/** The next command that passes is lost: the server behind the connections changes before it can answer. */
async function lose(line: Line, port: number, work: () => unknown): Promise<void> {
  const passed = line.command(/^EVAL/)
  work()
  await passed
  line.swap(port)
}

function logOf({ log }: Bus): string[] {
  return log
    .read(['a'], 0, { limit: 1000, bytes: 1e9 })
    .entries.map(({ cursor, value }) => `${cursor} ${value}`)
}

const rows: Record<string, (t: Test) => Promise<void>> = {}

rows['a question is lost, and publishes follow: each is where it was said to be'] = async (t) => {
  const redis = await RedisServer.start(t, ALWAYS)
  const line = await Line.start(t, redis.port)
  const [bus, other] = [await open(t, line.url), await open(t, redis.url)]
  const accepted: string[] = []
  for (let round = 0; round < 3; round++) {
    await lose(line, redis.port, () => {
      // A place past the head: the engine is asked.
      bus.settle!({ epoch: bus.log.epoch, seq: bus.log.head + 1 })?.catch(() => {})
    })
    for (let i = 0; i < 10; i++) accepted.push(await publish(bus, `${round}-${i}`))
  }
  while (other.log.head < 30 || bus.log.head < 30) await turn()
  t.strictSame(logOf(other), accepted)
  t.strictSame(logOf(bus), accepted)
}

rows['A, B, and A again, with a question under way each time: both instances follow'] = async (t) => {
  let [to, from] = [await RedisServer.start(t, ALWAYS), await RedisServer.start(t, ALWAYS)]
  const line = await Line.start(t, from.port)
  await to.call('REPLICAOF', '127.0.0.1', from.port)
  const buses = [await open(t, line.url), await open(t, line.url)]
  for (let round = 0; round < 4; round++) {
    await to.follows(from)
    await to.call('REPLICAOF', 'NO', 'ONE')
    await lose(line, to.port, () => {
      for (const bus of buses) {
        bus.settle!({ epoch: bus.log.epoch, seq: bus.log.head + 1 })?.catch(() => {})
      }
    })
    await from.call('REPLICAOF', '127.0.0.1', to.port)
    for (let i = 0; i < 5; i++) await publish(buses[i % 2]!, `${round}-${i}`)
    const head = (round + 1) * 5
    while (buses.some(({ log }) => log.head < head || log.epoch !== buses[0]!.log.epoch)) await turn()
    ;[to, from] = [from, to]
  }
  t.strictSame(logOf(buses[0]!), logOf(buses[1]!))
  t.equal(logOf(buses[0]!).length, 20)
}

faults(t, rows)

t.test('a command waits for the reply of the previous one, and is dropped with its connection', async (t) => {
  const sent: { args: readonly string[]; reply: (reply: unknown) => void }[] = []
  let opened = 0
  let destroyed = 0
  const link = new Link(async () => {
    opened++
    return {
      send: (args) => new Promise((reply) => sent.push({ args, reply })),
      destroy: () => destroyed++,
    }
  })
  const alone = new AbortController()
  const send = (name: string, { signal } = new AbortController()) => link.send([name], 'key', signal)
  const first = send('first', alone)
  const second = send('second')
  const third = send('third')
  await turn()
  t.same(
    sent.map(({ args }) => args[0]),
    ['first'],
  )
  sent[0]!.reply(1)
  t.equal(await first, 1)
  await turn()
  t.same(
    sent.map(({ args }) => args[0]),
    ['first', 'second'],
  )
  sent[1]!.reply(new Error('ERR no'))
  t.match(await second, { message: 'ERR no' })
  await turn()
  sent[2]!.reply(3)
  t.equal(await third, 3)
  t.equal(opened, 1)

  const lost = new AbortController()
  const failed = t.rejects(send('lost', lost), { message: 'silence' })
  const behind = t.rejects(send('behind'), { message: 'silence' })
  await turn()
  lost.abort(new Error('silence'))
  await Promise.all([failed, behind])
  const later = send('later')
  await turn()
  t.same(
    sent.map(({ args }) => args[0]),
    ['first', 'second', 'third', 'lost', 'later'],
  )
  sent.at(-1)!.reply(5)
  t.equal(await later, 5)
  t.same([opened, destroyed], [2, 1])
})
