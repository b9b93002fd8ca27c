import { syncBuiltinESMExports } from 'node:module'
import zlib from 'node:zlib'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import tidings, { memoryBus } from '../index.ts'
import { streamer, talker } from './clients.ts'
import { build, live, openSocket, openStream } from './helper.ts'
import type { Client, Item, MakeClient } from './transport.suite.ts'

/** Counts what is compressed from now on. */
function spy(t: Test): { count: number } {
  const seen = { count: 0 }
  const { deflateRawSync } = zlib
  zlib.deflateRawSync = (...given) => {
    seen.count++
    return deflateRawSync(...given)
  }
  syncBuiltinESMExports()
  t.teardown(() => {
    zlib.deflateRawSync = deflateRawSync
    syncBuiltinESMExports()
  })
  return seen
}

const LONG = 'long '.repeat(500)

t.test('a message is compressed once for a hundred readers at the same place', async (t) => {
  const { app, url } = await build(t, { compression: true })
  const streams = await Promise.all(Array.from({ length: 100 }, () => openStream(t, `${url}/sse`)))
  const sockets = await Promise.all(Array.from({ length: 100 }, () => openSocket(t, `${url}/ws`)))
  for (const stream of streams) t.match(await stream.next(), { event: 'ready' })
  for (const socket of sockets) t.match(await socket.json(), { type: 'ready' })
  await live(app, 200)
  const seen = spy(t)
  const got = async (data: unknown) => {
    for (const stream of streams) t.strictSame(JSON.parse((await stream.next()).data!).data, data)
    for (const socket of sockets) t.strictSame((await socket.json()).data, data)
  }
  await app.tidings.publish('default', LONG)
  await got(LONG)
  t.equal(seen.count, 2, 'once as an event, once as a frame')
  await Promise.all([1, 2, 3].map((n) => app.tidings.publish('default', { n, LONG })))
  for (const n of [1, 2, 3]) await got({ n, LONG })
  t.equal(seen.count, 8, 'three in one turn, each by itself')
  await app.tidings.publish('default', 'short')
  await got('short')
  t.equal(seen.count, 8, 'not below the threshold')

  for (const socket of sockets) socket.ws.terminate()
  for (const stream of streams) stream.close()
  await live(app, 0)
  const plain = await openStream(t, `${url}/sse?cursor=earliest`, { 'accept-encoding': 'identity' })
  await plain.next()
  t.strictSame(JSON.parse((await plain.next()).data!).data, LONG)
  t.equal(seen.count, 8, 'nor for who does not take it')
  const late = await Promise.all(
    Array.from({ length: 10 }, () => openStream(t, `${url}/sse?cursor=earliest`)),
  )
  for (const stream of late) {
    await stream.next()
    for (let i = 0; i < 5; i++) await stream.next()
  }
  t.equal(seen.count, 12, 'late readers share what they are sent')
})

const CHANNELS = [['a'], ['b'], ['a', 'b'], ['a', 'b', 'c']] as const

/** What a run does, step by step. Which reader is cut is told modulo their number. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      publish: fc.constantFrom('a', 'b', 'c'),
      size: fc.constantFrom(0, 10, 45, 200, 5000),
      at: fc.constantFrom('once', 'later'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ cut: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ late: fc.constantFrom(...CHANNELS) }) },
)

/** A reader that may be cut, and goes on from where it was. */
class Cuttable {
  readonly got: Item[] = []
  readonly channels: readonly string[]
  readonly #open: (cursor: string) => Promise<Client>
  #client!: Client

  constructor(channels: readonly string[], open: (cursor: string) => Promise<Client>) {
    this.channels = channels
    this.#open = open
  }

  async start(): Promise<this> {
    this.#client = await this.#open('earliest')
    return this
  }

  async cut(): Promise<void> {
    const { rest, cursor } = await this.#client.stop()
    this.got.push(...rest)
    this.#client = await this.#open(cursor)
  }

  /** All that it has got once that many have come. */
  async all(count: number): Promise<Item[]> {
    while (this.got.length < count) this.got.push(await this.#client.next())
    const { rest } = await this.#client.stop()
    return [...this.got, ...rest]
  }
}

t.test('who takes it sees what others see, wherever they are cut and whatever they read', async (t) => {
  const bus = memoryBus()
  const { app, url } = await build(
    t,
    { bus, compression: { threshold: 50 } },
    { before: (app) => app.register(tidings, { bus, prefix: '/plain' }) },
  )
  const kinds: [string, MakeClient][] = [
    ['sse', streamer(false)],
    ['ws', talker(false)],
  ]
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const name = `run${run++}.`
      const readers: Cuttable[] = []
      const join = async (channels: readonly string[]) => {
        const names = channels.map((channel) => name + channel)
        for (const [, make] of kinds) {
          for (const base of [url, `${url}/plain`]) {
            readers.push(await new Cuttable(names, (cursor) => make(t, base, names, cursor)).start())
          }
        }
      }
      for (const channels of CHANNELS.slice(0, 3)) await join(channels)
      const said: Promise<unknown>[] = []
      const published: { cursor: string; channel: string; data: unknown }[] = []
      for (const each of steps) {
        if ('publish' in each) {
          const data = { words: 'and '.repeat(each.size / 4), n: published.length }
          const message = app.tidings.publish(name + each.publish, data)
          said.push(message.then((accepted) => published.push(accepted)))
          if (each.at === 'later') await message
        } else if ('cut' in each) await readers[each.cut % readers.length]!.cut()
        else await join(each.late)
      }
      await Promise.all(said)
      const seq = ({ cursor }: { cursor: string }) => Number(cursor.split('.')[1])
      published.sort((a, b) => seq(a) - seq(b))
      for (const reader of readers) {
        const expected = published
          .filter(({ channel }) => reader.channels.includes(channel))
          .map(({ cursor, channel, data }) => ({ cursor, channel, data }))
        const all = await reader.all(expected.length)
        if (JSON.stringify(all) !== JSON.stringify(expected))
          throw new Error(`${JSON.stringify(all)} is not ${JSON.stringify(expected)}`)
      }
    }),
    { numRuns: 12 },
  )
  t.pass()
})
