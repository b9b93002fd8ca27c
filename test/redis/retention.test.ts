import t, { type Test } from 'tap'
import type { Bus, Host } from '../../bus/bus.ts'
import { DELETE, endPayload, jsonPayload, REOPEN, textPayload } from '../../bus/payload.ts'
import { redisBus } from '../../bus/redis.ts'
import type { SharedRetention } from '../../bus/shared/shared-bus.ts'
import { turn } from '../bus/fixture.ts'
import { ALWAYS, NO_FILE, needsRedis, RedisServer } from './server.ts'

const HOST: Host = { patience: 100_000, warn: () => {} }
const ALL = { limit: 1_000_000, bytes: 1e9 }

async function open(t: Test, url: string, retention: SharedRetention): Promise<Bus> {
  const bus = redisBus({ url, retention })
  t.teardown(() => bus.close())
  await bus.open!(HOST)
  return bus
}

/** All that a client could learn of some channels. */
function stateOf({ log }: Bus, channels: readonly string[]) {
  return {
    epoch: log.epoch,
    head: log.head,
    kept: log.kept.messages,
    channels: channels.map((name) => ({
      name,
      floor: log.floor([name]),
      ended: log.endOf(name)?.seq,
      messages: log.read([name], log.floor([name]), ALL).entries.map(({ envelope }) => envelope),
    })),
  }
}

/** Numbers from 0 to 1 that come again with the same seed. */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Bytes of what Redis keeps of a bus: all, or of messages alone. */
async function bytesOf(server: RedisServer): Promise<number> {
  let bytes = 0
  for (const key of ['log', 'kept']) {
    bytes += Number((await server.call('MEMORY', 'USAGE', `{tidings}:${key}`, 'SAMPLES', 0)) ?? 0)
  }
  return bytes
}

/** A channel may have ended meanwhile. */
function refused(error: Error): void {
  if ((error as { code?: string }).code !== 'TIDINGS_ERR_ENDED') throw error
}

function isSame(one: Bus, other: Bus): boolean {
  return JSON.stringify(stateOf(one, CHANNELS)) === JSON.stringify(stateOf(other, CHANNELS))
}

async function same(t: Test, one: Bus, other: Bus, isExact: boolean): Promise<void> {
  while (one.log.head !== other.log.head) await turn()
  if (isExact) t.strictSame(stateOf(one, CHANNELS), stateOf(other, CHANNELS))
}

interface Kind {
  readonly retention: SharedRetention
  readonly messages: number
  /** The size of a message's text, at most. */
  readonly size: number
  /** One message by one, or all of a round at once. */
  readonly round: number
}

const KINDS: Record<string, Kind> = {
  'messages of each channel': { retention: { messages: 20 }, messages: 12_000, size: 200, round: 200 },
  'one by one': { retention: { messages: 5 }, messages: 2_500, size: 2_000, round: 1 },
  'large ones': { retention: { messages: 3 }, messages: 2_000, size: 20_000, round: 20 },
  bytes: { retention: { bytes: 300_000 }, messages: 8_000, size: 500, round: 100 },
  rules: {
    retention: {
      messages: 500,
      rules: { c0: { messages: 1 }, c1: { messages: 3 }, 'quiet-': { messages: 9 } },
    },
    messages: 12_000,
    size: 300,
    round: 150,
  },
  age: {
    retention: { rules: { c0: { age: 400 }, c1: { age: 400 } } },
    messages: 8_000,
    size: 300,
    round: 100,
  },
}

const QUIET = ['quiet-1', 'quiet-2', 'quiet-ended', 'quiet-reopened', 'quiet-deleted']
const CHANNELS = [...Array.from({ length: 6 }, (_, i) => `c${i}`), ...QUIET]

/** Quiet channels first; then some that speak often, most in the first, and what ends and deletes them. */
async function live([a, b]: readonly [Bus, Bus], { messages, size, round }: Kind, random: () => number) {
  for (const name of QUIET) await a.publish(name, jsonPayload(`{"the":"first of ${name}"}`))
  await a.publish('quiet-ended', endPayload(textPayload('the end')))
  await a.publish('quiet-reopened', endPayload(textPayload('not the end')))
  await a.publish('quiet-1', textPayload('é😀 \n'))
  for (let sent = 0; sent < messages; ) {
    const all: Promise<unknown>[] = []
    for (let i = 0; i < round && sent < messages; i++, sent++) {
      const bus = random() < 0.5 ? a : b
      const name = `c${Math.floor(random() ** 3 * 6)}`
      all.push(bus.publish(name, textPayload('x'.repeat(random() * size))).catch(refused))
    }
    await Promise.all(all)
    if (random() < 0.05) await b.publish('c5', random() < 0.5 ? DELETE : endPayload()).catch(refused)
    if (random() < 0.1) await a.publish('c5', REOPEN)
    if (sent > messages / 2 && a.log.endOf('quiet-reopened')) await a.publish('quiet-reopened', REOPEN)
  }
  await a.publish('c5', REOPEN)
  await b.publish('quiet-deleted', DELETE)
}

if (needsRedis(t)) {
  for (const [name, kind] of Object.entries(KINDS)) {
    // Their clocks, and the bytes of their lists, differ by a little.
    const isExact = name !== 'age' && name !== 'bytes'
    t.test(
      `${name}: Redis keeps about what is kept, whatever is quiet, and a late instance has the same`,
      async (t) => {
        const server = await RedisServer.start(t, NO_FILE)
        const seed = Math.floor(Math.random() * 2 ** 32)
        t.comment(`seed ${seed}`)
        const [a, b] = [await open(t, server.url, kind.retention), await open(t, server.url, kind.retention)]
        await live([a, b], kind, chance(seed))
        while (b.log.head !== a.log.head) await turn()
        const late = await open(t, server.url, kind.retention)
        await same(t, late, a, isExact)
        for (;;) {
          const kept = Array.from(a.log.entries()).reduce((sum, { envelope }) => sum + envelope.length, 0)
          if ((await bytesOf(server)) <= 3 * kept + 2 * 256 * 1024) break
          await turn()
        }
        t.ok(a.log.kept.messages > 5)
        let later = await open(t, server.url, kind.retention)
        // Until nothing expires any more, and the last floors are told.
        while (!isExact && !isSame(later, a)) {
          await later.close()
          later = await open(t, server.url, kind.retention)
        }
        await same(t, later, a, true)
        if (!isExact) return
        t.strictSame(stateOf(b, CHANNELS), stateOf(a, CHANNELS))
        await late.publish('c2', textPayload('more'))
        while (a.log.head !== late.log.head || b.log.head !== late.log.head) await turn()
        t.strictSame(stateOf(a, CHANNELS), stateOf(late, CHANNELS))
      },
    )
  }

  t.test('floors are exact on a late instance, however many channels were forgotten', async (t) => {
    const server = await RedisServer.start(t, NO_FILE)
    const retention = { messages: 3, channels: 5, rules: { 'price.': { messages: 1 } } }
    const [a, b] = [await open(t, server.url, retention), await open(t, server.url, retention)]
    await a.publish('whole', textPayload('the first'))
    const prices = Array.from({ length: 20 }, (_, i) => `price.${i}`)
    for (const name of [...prices, ...prices]) await b.publish(name, textPayload('x'))
    // Many times what is remembered of empty channels. Their floors are above all of those.
    const gone = Array.from({ length: 60 }, (_, i) => `gone${i}`)
    for (const [i, name] of gone.entries()) {
      const bus = i % 2 ? a : b
      await bus.publish(name, textPayload('x'))
      await bus.publish(name, DELETE)
    }
    // One of them comes back, and is not trimmed.
    await a.publish('gone7', textPayload('again'))
    const names = ['whole', ...prices, ...gone, 'never']
    const told = async () => Number(await server.call('HGET', '{tidings}:meta', 'forgotten'))
    while (
      (await told()) < a.log.forgotten ||
      (await server.call('ZSCORE', '{tidings}:floors', 'gone7')) === null
    )
      await turn()
    while (b.log.head !== a.log.head) await turn()
    const late = await open(t, server.url, retention)
    t.strictSame(stateOf(late, names), stateOf(a, names))
    t.strictSame(stateOf(b, names), stateOf(a, names))
    t.equal(late.log.floor(['whole']), 0, 'it has lost nothing')
    t.equal(late.log.floor(['price.0']), 2)
    t.ok(late.log.floor(['gone7']) > 40 && late.log.floor(['gone7']) === late.log.floor(['never']))
    while (Number(await server.call('ZCARD', '{tidings}:floors')) > 5 + 22) await turn()
  })

  t.test('what has left the tail is there after a restart, and goes with its channel', async (t) => {
    const server = await RedisServer.start(t, ALWAYS)
    const retention = { messages: 10 }
    const a = await open(t, server.url, retention)
    await a.publish('quiet', textPayload('first'))
    await a.publish('quiet', endPayload(textPayload('last')))
    const fill = async () => {
      for (let i = 0; i < 20; i++) {
        await Promise.all(Array.from({ length: 100 }, () => a.publish('c', textPayload('x'.repeat(500)))))
      }
    }
    await fill()
    const elsewhere = async () => Number(await server.call('ZCOUNT', '{tidings}:kept', 1, 2))
    while ((await elsewhere()) < 2) await turn()
    await server.kill()
    await server.up()
    await a.publish('c', textPayload('more'))
    const late = await open(t, server.url, retention)
    t.strictSame(stateOf(late, ['quiet', 'c']), stateOf(a, ['quiet', 'c']))
    t.equal(late.log.endOf('quiet')?.seq, 2)
    await t.rejects(late.publish('quiet', textPayload('no')), { code: 'TIDINGS_ERR_ENDED' } as never)
    await late.publish('quiet', DELETE)
    while ((await elsewhere()) > 0) await turn()
    t.strictSame(stateOf(late, ['quiet', 'c']).channels[0]!.messages, [])
  })
}
