import t, { type Test } from 'tap'
import type { Bus, Host } from '../../../bus/bus.ts'
import { DELETE, endPayload, type Payload, REOPEN, textPayload } from '../../../bus/payload.ts'
import { Reader } from '../../../bus/reader.ts'
import { redisBus } from '../../../bus/redis.ts'
import { Recorder, turn } from '../../bus/fixture.ts'
import { Line } from '../line.ts'
import { ALWAYS, RedisServer } from '../server.ts'
import { faults } from './table.ts'

/*
 * What a promotion has lost may have ended, reopened or deleted channels: all instances that followed it have to take
 * that back.
 */

const HOST: Host = { patience: 60_000, warn: () => {} }
const ALL = { limit: 1_000_000, bytes: 1e9 }

async function open(t: Test, url: string, retention: { messages?: number }): Promise<Bus> {
  const bus = redisBus({ url, retention })
  t.teardown(() => bus.close())
  await bus.open!(HOST)
  return bus
}

/** What a client could learn of some channels, but for the epochs. */
function stateOf({ log }: Bus, channels: readonly string[]) {
  return channels.map((name) => ({
    name,
    floor: log.floor([name]),
    ended: log.endOf(name)?.seq,
    messages: log.read([name], log.floor([name]), ALL).entries.map(({ envelope }) => envelope),
  }))
}

async function until(so: () => boolean): Promise<void> {
  while (!so()) await turn()
}

type Step = readonly [channel: string, payload: Payload]

/** A master whose replica has what comes first, and not what comes then. */
async function fork(t: Test, before: readonly Step[], lost: readonly Step[], retention = {}) {
  const channels = [...new Set([...before, ...lost].map(([channel]) => channel))].sort()
  const master = await RedisServer.start(t, ALWAYS)
  const replica = await RedisServer.start(t, ALWAYS)
  const between = await Line.start(t, master.port)
  const line = await Line.start(t, master.port)
  await replica.call('REPLICAOF', '127.0.0.1', between.port)
  await replica.follows(master)
  const [a, b] = [await open(t, line.url, retention), await open(t, line.url, retention)]
  const publish = async (steps: readonly Step[]) => {
    for (const [channel, payload] of steps) {
      await a
        .publish(channel, payload)
        .catch(({ code }: { code?: string }) => t.equal(code, 'TIDINGS_ERR_ENDED'))
    }
    await until(() => b.log.head === a.log.head)
  }
  await publish(before)
  const had = stateOf(a, channels)
  const { epoch, head } = a.log
  await replica.follows(master)
  between.stall()
  const sinks = channels.map((name) => {
    const sink = new Recorder()
    new Reader(b.log, [name], 'now', sink).resume()
    return sink
  })
  await publish(lost)
  await turn()
  for (const sink of sinks) sink.take()
  await replica.call('REPLICAOF', 'NO', 'ONE')
  line.swap(replica.port)
  await until(() => a.log.epoch !== epoch && b.log.epoch === a.log.epoch)
  t.strictSame([a.log.head, b.log.head], [head, head])
  const late = await open(t, replica.url, retention)
  t.strictSame(stateOf(late, channels), had, 'a late instance has what was there at the fork')
  t.strictSame(stateOf(a, channels), had, 'the one that published it too')
  t.strictSame(stateOf(b, channels), had, 'and the one that followed')
  for (const sink of sinks) {
    // Those whose channel had ended have gone.
    const told = sink.take().filter((one) => one !== 'finished' && !String(one).startsWith('end '))
    t.ok(told.length === 0 || told.join() === `ahead ${head}`, `was told ${told.join() || 'nothing'}`)
  }
  for (const [i, { name, ended }] of had.entries()) {
    const more = await b.publish(name, textPayload('more')).then(
      ({ seq }) => seq,
      ({ code }: { code?: string }) => code,
    )
    if (ended !== undefined) t.equal(more, 'TIDINGS_ERR_ENDED')
    else {
      await until(() => [a, b, late].every((bus) => bus.log.head === more))
      await turn()
      const got = sinks[i]!.take()
      t.ok(got.length === 0 || got.join() === `${more}`, `got ${got.join()}`)
    }
  }
  t.strictSame(stateOf(a, channels), stateOf(late, channels))
  t.strictSame(stateOf(b, channels), stateOf(late, channels))
}

const text = (channel: string, data = 'x'): Step => [channel, textPayload(data)]
const end = (channel: string, data?: string): Step => [
  channel,
  endPayload(data === undefined ? undefined : textPayload(data)),
]
const reopen = (channel: string): Step => [channel, REOPEN]
const remove = (channel: string): Step => [channel, DELETE]

const LOST: Record<string, readonly [before: readonly Step[], lost: readonly Step[]]> = {
  'an end': [[text('c')], [end('c', 'last')]],
  'an end of a channel that had nothing': [[text('other')], [end('c')]],
  'the reopening of an end with data': [
    [text('c'), end('c', 'last')],
    [reopen('c'), text('c')],
  ],
  'the reopening of an end without data': [[text('c'), end('c')], [reopen('c')]],
  'a reopening and another end': [
    [text('c'), end('c', 'first')],
    [reopen('c'), text('c'), end('c', 'second')],
  ],
  'the deletion of a channel': [
    [text('c', '1'), text('d'), text('c', '2')],
    [remove('c'), text('c', '3')],
  ],
  'the deletion of a channel that has ended': [[text('c'), end('c')], [remove('c')]],
}

const rows: Record<string, (t: Test) => Promise<void>> = {}
for (const [name, [before, lost]] of Object.entries(LOST)) {
  rows[`${name} is lost by a promotion: it is undone at each instance`] = (t) => fork(t, before, lost)
}

rows['any of them, of several channels, also where a channel keeps few: they are as they were'] = async (
  t,
) => {
  const make = [text, end, end, reopen, remove, text, text]
  const some = (count: number): Step[] =>
    Array.from({ length: count }, (_, i) => {
      const kind = make[Math.floor(Math.random() * make.length)]!
      return kind('abcde'[Math.floor(Math.random() * 5)]!, Math.random() < 0.5 ? undefined : `${i}`)
    })
  for (let i = 0; i < 4; i++) {
    const [before, lost] = [some(40), some(15)]
    t.comment(
      JSON.stringify(
        [before, lost].map((steps) => steps.map(([name, { mark, json }]) => [name, mark, json])),
      ),
    )
    await fork(t, [text('a'), text('b'), text('c'), text('d'), text('e'), ...before], lost)
  }
}

faults(t, rows)
