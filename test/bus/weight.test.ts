import t from 'tap'
import { runChild } from './child.ts'

interface Row {
  shape: string
  /** Bytes by the collector, and as the log counts them. */
  heap: number
  counted: number
}

const MEASURE = `
  import { memoryBus } from './bus/memory.ts'
  import { bytesPayload, textPayload } from './bus/payload.ts'
  // In turns of their own: what a turn before has held is let go of at its end.
  const used = async () => {
    for (let i = 0; i < 4; i++) {
      await new Promise(setImmediate)
      globalThis.gc()
    }
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const texts = { ASCII: 'x', 'Latin-1': 'é', wide: '漢' }
  const shapes = []
  for (const [size, count] of [[1, 6_000], [100, 6_000], [10_000, 200], [1_000_000, 4]]) {
    for (const kind of ['ASCII', 'Latin-1', 'wide', 'bytes']) {
      for (const many of [false, true]) shapes.push({ size, count, kind, many })
    }
  }
  const small = { size: 1, count: 6_000, kind: 'ASCII' }
  for (const more of [
    { many: true, name: 120 },
    { many: false, key: 36 },
    { many: true, name: 120, key: 100 },
    { many: true, name: 120, emptied: true },
  ]) shapes.push({ ...small, ...more })
  const measure = async ({ size, count, kind, many, name = 1, key, emptied }) => {
    const age = emptied ? 5 : Infinity
    const bus = memoryBus({ messages: 1e6, age, bytes: 2 ** 40, channels: 1e6, keys: 1e6 })
    await bus.publish('warm-up', textPayload('x'), 'key')
    const before = [await used(), bus.log.kept.bytes]
    for (let i = 0; i < count; i++) {
      const data = kind === 'bytes' ? bytesPayload(Buffer.alloc(size)) : textPayload(texts[kind].repeat(size))
      const channel = 'n'.repeat(name) + (many ? i : '')
      await bus.publish(channel, data, key && 'k'.repeat(key) + i)
    }
    // Their channels are left.
    while (emptied && bus.log.kept.messages > 0) await new Promise(setImmediate)
    const shape = JSON.stringify({ size, count, kind, many, name, key, emptied })
    const row = { shape, heap: (await used()) - before[0], counted: bus.log.kept.bytes - before[1] }
    await bus.close()
    return row
  }
  const rows = []
  for (const shape of shapes) {
    // What is let go of meanwhile, as compiled code is, makes a figure smaller, and nothing makes it larger.
    const [one, two] = [await measure(shape), await measure(shape)]
    rows.push(one.heap > two.heap ? one : two)
  }
  console.log(JSON.stringify(rows))`

t.test('the bytes of retention are bytes of memory', { timeout: 280_000 }, async (t) => {
  const { code, output } = await runChild(MEASURE, ['--expose-gc', '--max-old-space-size=2048'])
  t.equal(code, 0, output)
  for (const { shape, heap, counted } of JSON.parse(output) as Row[]) {
    const ratio = counted / heap
    t.ok(ratio > 0.75 && ratio < 1.25, `${shape}: ${heap} bytes, counted ${counted}`)
  }
})

const URLS = `
  import { memoryBus } from './bus/memory.ts'
  import { textPayload } from './bus/payload.ts'
  const used = () => {
    for (let i = 0; i < 4; i++) globalThis.gc()
    return process.memoryUsage().heapUsed
  }
  const bus = memoryBus({ bytes: 2 ** 40 })
  const junk = Buffer.alloc(15_000, 'j').toString()
  const urlOf = (i) => Buffer.from('/publish?channel=a-long-channel-' + i + '&' + junk).toString('latin1')
  const channelOf = (url) => url.slice(url.indexOf('=') + 1, url.indexOf('&'))
  const before = used()
  for (let i = 0; i < 10_000; i++) {
    await bus.publish(channelOf(urlOf(i)), textPayload('x'), 'key ' + channelOf(urlOf(i)))
    bus.log.groups.of([channelOf(urlOf(i))])
  }
  console.log(JSON.stringify({ heap: used() - before, counted: bus.log.kept.bytes }))`

t.test('channels and keys keep nothing of the URLs that they came in', async (t) => {
  const { code, output } = await runChild(URLS, ['--expose-gc'])
  t.equal(code, 0, output)
  const { heap, counted } = JSON.parse(output)
  t.ok(heap < 1.5 * counted, `${heap} bytes for ${counted}`)
})
