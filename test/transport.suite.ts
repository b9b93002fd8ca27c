import type { Test } from 'tap'
import type { Tidings, TidingsOptions } from '../index.ts'
import { build, until } from './helper.ts'

/** A log, and where its clients read: at one server, or at two instances. */
export interface Site {
  /** What publishes. */
  readonly tidings: Tidings
  /** Where a client reads. */
  readonly url: string
  /** Where a client goes on that moves. */
  readonly next: string
  /** Resolves once all that was published can be read everywhere. */
  settled(): Promise<void>
  /** Live readers at `url`. */
  watching(): number
}

export type MakeSite = (t: Test, options?: TidingsOptions) => Promise<Site>

/** One server, whose log is in memory. */
export const one: MakeSite = async (t, options) => {
  const { app, url } = await build(t, options)
  const { tidings } = app
  const watching = () => tidings.bus.log.groups.watching
  return { tidings, url, next: url, settled: async () => {}, watching }
}

/** A message as a client has it, whatever it came over. */
export interface Received {
  channel?: string
  data: unknown
  /** The raw form of a socket has none. */
  cursor?: string
}

export interface Told {
  gap: { reason: string; cursor: string }
}

/** A channel that has ended. */
export interface Over {
  end: string
}

export type Item = Received | Told | Over

/** A client of one transport. It follows its cursor, and stops without a word. */
export interface Client {
  /** What comes next: a message, the telling of a hole, or of an end. */
  next(): Promise<Item>
  /** The cursor that it has come to. */
  cursor(): Promise<string>
  /** Stops, wherever it is. @returns what had come in by then, and the cursor behind it */
  stop(): Promise<{ rest: Item[]; cursor: string }>
}

/** @param channels of a raw form: one */
export type MakeClient = (
  t: Test,
  url: string,
  channels: readonly string[],
  cursor: string | undefined,
) => Promise<Client>

export interface Made {
  readonly name: string
  readonly raw: boolean
  readonly make: MakeClient
}

const dataOf = (item: Item) =>
  'gap' in item ? item.gap : 'end' in item ? `the end of ${item.end}` : item.data

async function take(client: Client, count: number): Promise<unknown[]> {
  const taken = []
  for (let i = 0; i < count; i++) taken.push(dataOf(await client.next()))
  return taken
}

/** What every transport holds to. @param others those that a client may switch to */
export function transportSuite(
  t: Test,
  { name, raw, make }: Made,
  others: readonly Made[],
  site: MakeSite = one,
): void {
  const publishAll = async ({ tidings, settled }: Site, channel: string, items: readonly string[]) => {
    const published = await Promise.all(items.map((item) => tidings.publish(channel, item)))
    await settled()
    return published.map(({ cursor }) => cursor)
  }

  t.test(`${name}: what is kept, then what comes, in order and once each`, async (t) => {
    const built = await site(t)
    await publishAll(built, 'a', ['1', '2', '3'])
    const client = await make(t, built.url, ['a'], 'earliest')
    t.strictSame(await take(client, 3), ['1', '2', '3'])
    // Several in one turn, and one by one.
    for (const item of ['4', '5', '6']) void built.tidings.publish('a', item)
    t.strictSame(await take(client, 3), ['4', '5', '6'])
    for (const item of ['7', '8', '9']) {
      await publishAll(built, 'a', [item])
      t.strictSame(await take(client, 1), [item])
    }
  })

  t.test(`${name}: text, JSON and bytes`, async (t) => {
    const { tidings, url } = await site(t)
    const client = await make(t, url, ['a'], 'earliest')
    await tidings.publish('a', 'é\r\n"x"\n')
    await tidings.publish('a', { n: [1, null] })
    await tidings.publish('a', Uint8Array.of(0, 255, 10))
    const expected = ['é\r\n"x"\n', raw ? '{"n":[1,null]}' : { n: [1, null] }, Buffer.of(0, 255, 10)]
    if (name === 'sse raw') expected[0] = 'é\n"x"\n'
    t.strictSame(await take(client, 3), expected)
  })

  t.test(`${name}: without a cursor only what comes next`, async (t) => {
    const built = await site(t)
    await publishAll(built, 'a', ['before'])
    const client = await make(t, built.url, ['a'], undefined)
    await publishAll(built, 'other', ['not asked for'])
    await publishAll(built, 'a', ['after'])
    t.strictSame(await take(client, 1), ['after'])
  })

  t.test(`${name}: from any cursor, with what came after it`, async (t) => {
    const built = await site(t)
    const items = Array.from({ length: 8 }, (_, i) => String(i))
    const cursors = await publishAll(built, 'a', items)
    for (const [i, cursor] of cursors.entries()) {
      const client = await make(t, built.url, ['a'], cursor)
      t.strictSame(await take(client, 7 - i), items.slice(i + 1))
      await client.stop()
    }
  })

  t.test(`${name}: a long replay, while more comes in`, async (t) => {
    const built = await site(t)
    const items = Array.from({ length: 3000 }, (_, i) => `${i} ${'x'.repeat(100)}`)
    await publishAll(built, 'a', items.slice(0, 2000))
    const client = await make(t, built.url, ['a'], 'earliest')
    const first = await take(client, 500)
    await publishAll(built, 'a', items.slice(2000))
    t.strictSame([...first, ...(await take(client, 2500))], items)
  })

  if (name !== 'ws raw') {
    t.test(`${name}: an idle client's cursor advances with the log`, async (t) => {
      const built = await site(t)
      const client = await make(t, built.url, ['quiet'], undefined)
      const [, , last] = await publishAll(built, 'loud', ['1', '2', '3'])
      // A stream tells the place of its messages alone.
      if (!name.startsWith('sse')) t.equal(await client.cursor(), last)
      const [mine] = await publishAll(built, 'quiet', ['4'])
      t.strictSame(await take(client, 1), ['4'])
      t.equal(await client.cursor(), mine)
    })

    for (const reason of ['trimmed', 'epoch', 'ahead']) {
      t.test(`${name}: a hole (${reason}) is told once, before anything later`, async (t) => {
        const built = await site(t, { retention: { messages: 2 } })
        const { log } = built.tidings.bus
        await publishAll(built, 'a', ['1', '2', '3', '4'])
        const cursor = { trimmed: log.cursor(1), epoch: 'another.1', ahead: log.cursor(99) }[reason]
        const end = reason === 'ahead' ? log.cursor(4) : log.cursor(2)
        const client = await make(t, built.url, ['a'], cursor)
        t.strictSame(await take(client, 1), [{ reason, cursor: end }])
        const again = await make(t, built.url, ['a'], end)
        for (const each of [client, again]) {
          if (reason !== 'ahead') t.strictSame(await take(each, 2), ['3', '4'])
        }
        await publishAll(built, 'a', ['5'])
        for (const each of [client, again]) t.strictSame(await take(each, 1), ['5'])
      })
    }
  }

  if (!raw) {
    t.test(`${name}: several channels, in log order`, async (t) => {
      const built = await site(t)
      for (let i = 0; i < 20; i++) await publishAll(built, ['b', 'a', 'other', 'c'][i % 4]!, [String(i)])
      const client = await make(t, built.url, ['c', 'a', 'b'], 'earliest')
      for (let i = 20; i < 40; i++) await publishAll(built, ['b', 'a', 'other', 'c'][i % 4]!, [String(i)])
      const expected = Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 4 !== 2)
      for (const i of expected) {
        const message = (await client.next()) as Received
        const channel = ['b', 'a', 'other', 'c'][i % 4]
        if (message.data !== String(i) || message.channel !== channel) {
          t.match(message, { data: String(i), channel })
        }
      }
      t.equal(await client.cursor(), built.tidings.bus.log.nothing.cursor)
    })

    t.test(`${name}: channels that end at different places`, async (t) => {
      const built = await site(t)
      const client = await make(t, built.url, ['a', 'b', 'c'], undefined)
      await publishAll(built, 'a', ['1'])
      t.strictSame(await take(client, 1), ['1'])
      await built.tidings.end('b')
      t.strictSame(await take(client, 1), ['the end of b'])
      await publishAll(built, 'c', ['2'])
      t.strictSame(await take(client, 1), ['2'])
      await built.tidings.end('a')
      t.strictSame(await take(client, 1), ['the end of a'])
      await built.tidings.reopen('a')
      await publishAll(built, 'a', ['3'])
      t.strictSame(await take(client, 1), ['3'])
      const again = await make(t, built.url, ['a', 'b', 'c'], 'earliest')
      const told = [await take(again, 4)].flat()
      t.strictSame(
        told.filter((each) => !String(each).startsWith('the')),
        ['1', '2', '3'],
      )
      t.strictSame(
        told.filter((each) => String(each).startsWith('the')),
        ['the end of b'],
      )
    })

    for (const other of others.filter((each) => !each.raw)) {
      t.test(`${name}, then ${other.name}: from the midst of the last of several channels`, async (t) => {
        const built = await site(t, { retention: { messages: 30 } })
        await publishAll(built, 'quiet', ['state'])
        for (let i = 0; i < 60; i++) await publishAll(built, i % 2 ? 'a' : 'b', [`${i}`])
        const expected = ['state', ...Array.from({ length: 20 }, (_, i) => `${i + 40}`)]
        for (const count of [1, 2, 11]) {
          const first = await make(t, built.url, ['quiet', 'a', 'b'], 'last:10')
          const seen = await take(first, count)
          const { rest, cursor } = await first.stop()
          seen.push(...rest.map(dataOf))
          const second = await other.make(t, built.next, ['quiet', 'a', 'b'], cursor)
          seen.push(...(await take(second, expected.length - seen.length)))
          t.strictSame(seen, expected)
          await second.stop()
        }
      })
    }
  }

  for (const other of others) {
    if (name === 'ws raw') break
    t.test(`${name}, then ${other.name}: nothing lost, nothing twice`, async (t) => {
      const built = await site(t)
      const items = Array.from({ length: 300 }, (_, i) => String(i))
      const publishing = (async () => {
        for (const item of items) {
          await built.tidings.publish('a', item)
          await new Promise(setImmediate)
        }
      })()
      const seen: unknown[] = []
      const first = await make(t, built.url, ['a'], 'earliest')
      seen.push(...(await take(first, 100)))
      const { rest, cursor } = await first.stop()
      seen.push(...rest.map(dataOf))
      const second = await other.make(t, built.next, ['a'], cursor)
      seen.push(...(await take(second, 300 - seen.length)))
      await publishing
      t.strictSame(seen, items)
    })
  }

  t.test(`${name}: the last that a channel has, and what comes`, async (t) => {
    const built = await site(t, { retention: { messages: 5 } })
    await publishAll(built, 'a', ['1', '2', '3', '4', '5', '6'])
    for (const [start, first] of [
      ['last:1', '6'],
      ['last:3', '4'],
      ['last:1000', '2'],
      ['since:0', '2'],
    ] as const) {
      const client = await make(t, built.url, ['a'], start)
      t.strictSame(await take(client, 1), [first], start)
      await client.stop()
    }
    const client = await make(t, built.url, ['a'], 'last:2')
    t.strictSame(await take(client, 2), ['5', '6'])
    await publishAll(built, 'a', ['7'])
    t.strictSame(await take(client, 1), ['7'])
  })

  t.test(`${name}: an end is told in its place, and to who comes late`, async (t) => {
    const built = await site(t)
    await publishAll(built, 'a', ['1'])
    await built.tidings.end('a')
    await built.settled()
    const client = await make(t, built.url, ['a'], 'earliest')
    t.strictSame(await take(client, 2), ['1', 'the end of a'])
    const late = await make(t, built.url, ['a'], undefined)
    t.strictSame(await take(late, 1), ['the end of a'])
    await until(() => built.watching() === (name === 'ws' ? 2 : 0))
  })

  t.test(`${name}: a client that has stopped is not held`, async (t) => {
    const { url, watching } = await site(t)
    const clients = await Promise.all(Array.from({ length: 10 }, () => make(t, url, ['a'], undefined)))
    for (const client of clients) await client.stop()
    await until(() => watching() === 0)
    t.pass()
  })
}
