import type { Test } from 'tap'
import type { Accepted, Bus } from '../bus/bus.ts'
import { bytesPayload, DELETE, endPayload, jsonPayload, REOPEN, textPayload } from '../bus/payload.ts'
import { memberOf, turn } from './bus/fixture.ts'

/** What the suite asks of a bus beside the defaults. */
export interface BusLimits {
  /** Bytes that the log holds. */
  bytes?: number
  /** Idempotency keys remembered. */
  keys?: number
  /** How long a key is remembered, in milliseconds. */
  keyAge?: number
}

/** A fresh bus with an empty log, which the suite closes. */
export type MakeBus = (limits?: BusLimits) => Bus | Promise<Bus>

const ALL = { limit: 10_000, bytes: 1e9 }

/** What every bus holds to; see bus/bus.ts. */
export function busSuite(t: Test, name: string, makeBus: MakeBus): void {
  const test = (title: string, body: (t: Test, make: MakeBus) => Promise<void>) =>
    t.test(`${name}: ${title}`, async (t) => {
      await body(t, async (limits) => {
        const bus = await makeBus(limits)
        t.teardown(() => bus.close())
        return bus
      })
    })

  const texts = (bus: Bus, channel: string) =>
    bus.log.read([channel], 0, ALL).entries.map(({ payload }) => String(payload))

  /** Resolves once the log has come so far: a bus may learn from elsewhere what was published. */
  const reached = (bus: Bus, channel: string, seq: number) =>
    new Promise<void>((resolve) => {
      const group = bus.log.groups.of([channel])
      const member = memberOf(() => look())
      const look = () => {
        if (bus.log.head < seq) return
        group.leave(member)
        resolve()
      }
      group.join(member)
      look()
    })

  test('what was published is in the log when the promise resolves', async (t, make) => {
    const bus = await make()
    const before = Date.now()
    const accepted = await bus.publish('news', jsonPayload('{"n":12345678901234567890.10}'))
    const after = Date.now()
    t.equal(accepted.repeated, false)
    t.ok(Number.isSafeInteger(accepted.seq) && accepted.seq > 0)
    t.ok(accepted.time >= before - 1000 && accepted.time <= after + 1000)
    t.ok(bus.log.head >= accepted.seq)
    const [entry] = bus.log.read(['news'], accepted.seq - 1, ALL).entries
    t.match(entry, { seq: accepted.seq, time: accepted.time, channel: 'news', kind: 'json' })
    t.equal(entry!.payload, '{"n":12345678901234567890.10}')
    t.match(bus.log.cursor(accepted.seq), /^[A-Za-z0-9_-]{4,32}\.[1-9][0-9]*$/)
  })

  test('every kind of payload comes out as it went in', async (t, make) => {
    const bus = await make()
    await bus.publish('c', textPayload('\r\n"é😀\0'))
    await bus.publish('c', textPayload(''))
    await bus.publish('c', bytesPayload(Buffer.from([0, 255, 10])))
    await bus.publish('c', bytesPayload(Buffer.alloc(0)))
    await bus.publish('c', jsonPayload(' [null, "\\ud800"] '))
    const { entries } = bus.log.read(['c'], 0, ALL)
    t.strictSame(
      entries.map(({ kind, payload }) => [kind, payload]),
      [
        ['text', '\r\n"é😀\0'],
        ['text', ''],
        ['bytes', Buffer.from([0, 255, 10])],
        ['bytes', Buffer.alloc(0)],
        ['json', ' [null, "\\ud800"] '],
      ],
    )
  })

  test('publishes of a caller that does not wait keep their order', async (t, make) => {
    const bus = await make()
    const published = Array.from({ length: 300 }, (_, i) =>
      bus.publish(`c${i % 3}`, textPayload(`${i}`), i % 5 === 0 ? `key ${i}` : undefined),
    )
    const seqs = (await Promise.all(published)).map(({ seq }) => seq)
    t.strictSame(
      seqs,
      [...new Set(seqs)].sort((a, b) => a - b),
      'each has a place of its own',
    )
    const { entries } = bus.log.read(['c0', 'c1', 'c2'], 0, ALL)
    t.strictSame(
      entries.map(({ seq }) => seq),
      seqs,
    )
    t.strictSame(
      entries.map(({ payload }) => payload),
      Array.from({ length: 300 }, (_, i) => `${i}`),
    )
  })

  test('live readers get what is published', async (t, make) => {
    const bus = await make()
    const heard: string[] = []
    const group = bus.log.groups.of(['c'])
    group.join(
      memberOf((after) => heard.push(...group.read(after, ALL).entries.map(({ payload }) => `${payload}`))),
    )
    await Promise.all(['1', '2', '3'].map((text) => bus.publish('c', textPayload(text))))
    await bus.publish('other', textPayload('no'))
    const { seq } = await bus.publish('c', textPayload('4'))
    await reached(bus, 'c', seq)
    bus.log.groups.flush()
    t.strictSame(heard, ['1', '2', '3', '4'])
  })

  test('a key publishes once in its channel', async (t, make) => {
    const bus = await make()
    const first = await bus.publish('c', textPayload('a'), 'k')
    t.equal(first.repeated, false)
    t.strictSame(await bus.publish('c', textPayload('a'), 'k'), { ...first, repeated: true })
    t.strictSame(await bus.publish('c', textPayload('a'), 'k'), { ...first, repeated: true }, 'each time')
    const other = await bus.publish('d', textPayload('b'), 'k')
    t.equal(other.repeated, false, 'another channel')
    t.equal((await bus.publish('c', textPayload('a'), 'K')).repeated, false, 'another key')
    t.equal((await bus.publish('c', textPayload('a'))).repeated, false, 'no key')
    t.strictSame(texts(bus, 'c'), ['a', 'a', 'a'])
    t.strictSame(texts(bus, 'd'), ['b'])
  })

  test('a key that is used by many at once publishes once', async (t, make) => {
    const bus = await make()
    const all = await Promise.all(
      Array.from({ length: 20 }, () => bus.publish('c', textPayload('a'), 'ü "k"')),
    )
    t.equal(new Set(all.map(({ seq, time }) => `${seq} ${time}`)).size, 1)
    t.equal(all.filter(({ repeated }) => !repeated).length, 1)
    t.strictSame(texts(bus, 'c'), ['a'])
  })

  test('a key with another payload is refused', async (t, make) => {
    const bus = await make()
    await bus.publish('c', textPayload('1'), 'k')
    for (const payload of [
      textPayload('2'),
      jsonPayload('"1"'),
      jsonPayload('1'),
      bytesPayload(Buffer.from('1')),
    ]) {
      await t.rejects(bus.publish('c', payload, 'k'), {
        code: 'TIDINGS_ERR_KEY_REUSED',
        statusCode: 422,
      } as never)
    }
    t.strictSame(texts(bus, 'c'), ['1'])
    t.equal((await bus.publish('c', textPayload('1'), 'k')).repeated, true)
  })

  test('past the bound new keys are refused', async (t, make) => {
    const bus = await make({ keys: 2 })
    await bus.publish('c', textPayload('1'), 'k1')
    await bus.publish('d', textPayload('2'), 'k1')
    await t.rejects(bus.publish('c', textPayload('3'), 'k3'), {
      code: 'TIDINGS_ERR_KEYS_FULL',
      statusCode: 503,
    } as never)
    t.equal((await bus.publish('c', textPayload('1'), 'k1')).repeated, true)
    t.equal((await bus.publish('c', textPayload('4'))).repeated, false)
    t.strictSame(texts(bus, 'c'), ['1', '4'])
  })

  test('a key is forgotten when its time is over', async (t, make) => {
    const bus = await make({ keyAge: 20, keys: 1 })
    const first = await bus.publish('c', textPayload('a'), 'k')
    let again: Accepted
    do again = await bus.publish('c', textPayload('a'), 'k')
    while (again.repeated)
    t.ok(again.seq > first.seq)
    t.strictSame(texts(bus, 'c'), ['a', 'a'])
  })

  test('a key outlives its message', async (t, make) => {
    const bus = await make({ bytes: 10_000 })
    const first = await bus.publish('c', textPayload('a'), 'k')
    for (let i = 0; i < 10; i++) await bus.publish('d', textPayload('x'.repeat(4000)))
    t.strictSame(texts(bus, 'c'), [], 'it was trimmed')
    t.strictSame(await bus.publish('c', textPayload('a'), 'k'), { ...first, repeated: true })
  })

  const hasEnded = { code: 'TIDINGS_ERR_ENDED', statusCode: 409 } as never

  test('an ended channel refuses what is published, until it is reopened', async (t, make) => {
    const bus = await make()
    await bus.publish('c', textPayload('1'))
    const { seq } = await bus.publish('c', endPayload(textPayload('2')))
    t.equal(bus.log.endOf('c')?.seq, seq)
    await t.rejects(bus.publish('c', textPayload('3')), hasEnded)
    await t.rejects(bus.publish('c', textPayload('3'), 'k'), hasEnded)
    await t.rejects(bus.publish('c', endPayload()), hasEnded, 'nor does it end twice')
    await bus.publish('d', textPayload('another goes on'))
    t.strictSame(texts(bus, 'c'), ['1', '2'])
    const reopened = await bus.publish('c', REOPEN)
    t.ok(reopened.seq > seq)
    t.ok(bus.log.head >= reopened.seq)
    t.equal(bus.log.endOf('c'), undefined)
    const last = await bus.publish('c', textPayload('3'), 'k')
    t.ok(last.seq > reopened.seq && !last.repeated)
    t.strictSame(texts(bus, 'c'), ['1', '2', '3'], 'what came with the end is a message')
  })

  test('of many that end a channel and publish to it at once, all behind the end are refused', async (t, make) => {
    const bus = await make()
    const all = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) =>
        bus.publish('c', i === 10 ? endPayload() : textPayload(`${i}`), i % 3 === 0 ? `k${i}` : undefined),
      ),
    )
    t.strictSame(
      all.map(({ status }) => status === 'fulfilled'),
      Array.from({ length: 30 }, (_, i) => i <= 10),
    )
    t.equal(texts(bus, 'c').length, 11)
  })

  test('a key is answered also where the channel has ended since', async (t, make) => {
    const bus = await make()
    const first = await bus.publish('c', textPayload('a'), 'k')
    const end = await bus.publish('c', endPayload(textPayload('a')), 'e')
    t.strictSame(await bus.publish('c', textPayload('a'), 'k'), { ...first, repeated: true })
    t.strictSame(await bus.publish('c', endPayload(textPayload('a')), 'e'), { ...end, repeated: true })
    const reused = { code: 'TIDINGS_ERR_KEY_REUSED' } as never
    await t.rejects(bus.publish('c', textPayload('a'), 'e'), reused, 'an end is another payload')
    await t.rejects(bus.publish('c', endPayload(), 'e'), reused)
  })

  test('a channel whose end is no longer kept can be published to', async (t, make) => {
    const bus = await make({ bytes: 10_000 })
    await bus.publish('c', endPayload())
    for (let i = 0; i < 10; i++) await bus.publish('d', textPayload('x'.repeat(4000)))
    t.equal(bus.log.endOf('c'), undefined)
    // A shared log is told of it a moment later.
    const isEnded = ({ code }: { code?: string }) => code === 'TIDINGS_ERR_ENDED'
    while (await bus.publish('c', textPayload('1')).then(() => false, isEnded)) await turn()
    t.equal(bus.log.endOf('c'), undefined)
    t.strictSame(texts(bus, 'c'), ['1'])
  })

  test('a channel that is deleted has nothing, its end neither', async (t, make) => {
    const bus = await make()
    const first = await bus.publish('c', textPayload('1'), 'k')
    await bus.publish('d', textPayload('other'))
    const last = await bus.publish('c', endPayload(textPayload('2')))
    const deleted = await bus.publish('c', DELETE)
    t.ok(bus.log.head >= deleted.seq && deleted.seq > last.seq)
    t.strictSame([texts(bus, 'c'), texts(bus, 'd')], [[], ['other']])
    t.equal(bus.log.endOf('c'), undefined)
    t.strictSame(bus.log.gapAfter(first.seq, ['c']), { reason: 'trimmed', seq: last.seq })
    t.strictSame(bus.log.gapAfter(last.seq, ['c']), undefined)
    t.strictSame(await bus.publish('c', textPayload('1'), 'k'), { ...first, repeated: true })
    await bus.publish('c', textPayload('3'))
    t.strictSame(texts(bus, 'c'), ['3'])
  })

  test('what the log could not hold is refused', async (t, make) => {
    const bus = await make({ bytes: 10_000 })
    await bus.publish('c', textPayload('small'), 'k1')
    const tooLarge = { code: 'TIDINGS_ERR_TOO_LARGE', statusCode: 413 } as never
    await t.rejects(bus.publish('c', textPayload('x'.repeat(10_000))), tooLarge)
    await t.rejects(bus.publish('c', textPayload('\0'.repeat(2000))), tooLarge, 'as the envelope carries it')
    await t.rejects(bus.publish('c', textPayload('漢'.repeat(5000))), tooLarge, 'as memory holds it')
    await t.rejects(
      bus.publish('c', textPayload('x'.repeat(9600)), 'ü'.repeat(128)),
      tooLarge,
      'with its key',
    )
    await t.rejects(bus.publish('c'.repeat(128), textPayload('x'.repeat(9300))), tooLarge, 'with its channel')
    t.strictSame(texts(bus, 'c'), ['small'], 'and what was there is still')
    const { seq } = await bus.publish('c'.repeat(128), textPayload('x'.repeat(8000)), 'k'.repeat(128))
    t.equal(bus.log.read(['c'.repeat(128)], seq - 1, ALL).entries.length, 1, 'what was accepted is kept')
  })

  test('keys leave half of the bytes to the messages', async (t, make) => {
    const bus = await make({ bytes: 10_000 })
    const full = { code: 'TIDINGS_ERR_KEYS_FULL', statusCode: 503 } as never
    let keys = 0
    const publish = async () => {
      for (;;) await bus.publish('c', textPayload('x'), `${'k'.repeat(100)}${keys++}`)
    }
    await t.rejects(publish(), full)
    t.ok(keys > 5 && keys < 50, `${keys}`)
    const { seq } = await bus.publish('c', textPayload('x'.repeat(4000)))
    t.equal(bus.log.read(['c'], seq - 1, ALL).entries.length, 1)
    t.ok(bus.log.kept.bytes <= 10_000)
  })

  test('a closed bus refuses, and what it has can still be read', async (t, make) => {
    const bus = await make()
    await bus.publish('c', textPayload('1'), 'k')
    const { head } = bus.log
    await bus.close()
    await bus.close()
    for (const key of [undefined, 'k', 'l']) {
      await t.rejects(bus.publish('c', textPayload('1'), key), {
        code: 'TIDINGS_ERR_CLOSED',
        statusCode: 503,
      } as never)
    }
    t.strictSame([bus.log.head, texts(bus, 'c')], [head, ['1']])
  })
}
