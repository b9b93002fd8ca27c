import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { hdrHistogram } from '../../benchmarks/hdr-histogram.ts'
import { planOf } from '../../benchmarks/plan.ts'
import { Child } from '../../benchmarks/processes/child.ts'
import type { LoadApi } from '../../benchmarks/processes/load.ts'
import type { ServerApi } from '../../benchmarks/processes/server.ts'
import { measure } from '../../benchmarks/round-result.ts'
import { Testbed } from '../../benchmarks/testbed.ts'
import { build, post } from '../helper.ts'
import { small } from './small.ts'

/*
 * Runs each process of a round with all its functions, under the loader of the tests, so that coverage includes them.
 */

/** Returns the only round of a plan. */
function roundOf(...args: string[]) {
  return planOf(small(...args))[0]!.blocks[0]![0]!
}

t.test('load, publisher and proxy: injected faults, and every transport', async (t) => {
  const faultInjection = { corruptMessages: true, publisherBlockMs: 1 }
  const { url } = await build(t, { publish: true })
  const testbed = new Testbed({ url: new URL(url), faultInjection })
  t.teardown(() => testbed.end())
  const corrupted = await testbed.run(
    roundOf('--url', url, '--transports', 'sse', '--subscribers', '5', '--rtt', '2'),
  )
  t.match(measure(corrupted, hdrHistogram), {
    missed: 1,
    duplicates: 1,
    reordered: 1,
    faults: ['An unknown message arrived'],
    quality: { early: 0 },
  })
  t.equal(corrupted.proxy?.length, 2)

  faultInjection.corruptMessages = false
  faultInjection.publisherBlockMs = 0
  for (const kind of ['poll', 'longpoll', 'sse', 'ws']) {
    const raw = await testbed.run(roundOf('--url', url, '--transports', kind))
    const { missed, duplicates, reordered, deliveries, publishes } = measure(raw, hdrHistogram)
    t.same([missed, duplicates, reordered], [0, 0, 0], kind)
    t.ok(publishes > 0 && deliveries > 0)
  }
  const plan = roundOf('--url', url, '--transports', 'ws')
  const idle = await testbed.run({ ...plan, workload: { ...plan.workload, rate: 0 } })
  t.match(measure(idle, hdrHistogram), { publishes: 0, latency: null, connections: 2, missed: 0 })
})

t.test('the server: acceptance times and internal times', async (t) => {
  const server = new Child<ServerApi>('server')
  t.teardown(() => server.stop())
  await server.call('ready', undefined)
  await t.rejects(server.call('nope' as 'ready', undefined), /not a function/)
  const port = await server.call('start', undefined)
  const before = await server.call('work', undefined)
  t.same(before.messages, 0)
  const url = `http://127.0.0.1:${port}`
  const reader = connect(port, '127.0.0.1')
  t.teardown(() => reader.destroy())
  reader.write('GET /sse?channel=a HTTP/1.1\r\nHost: a\r\n\r\n')
  for (let text = ''; !text.includes('event: ready'); ) text += (await once(reader, 'data'))[0]
  // Two concurrent publishes, one of them to another channel.
  await Promise.all([
    post(`${url}/publish?channel=a`, '00000000'),
    post(`${url}/publish?channel=b`, '00000000'),
  ])
  await post(`${url}/publish?channel=a`, '00000001')
  const accepted = await server.call('accepted', undefined)
  t.same([...accepted].map(([channel, times]) => [channel, times.length]).sort(), [
    ['a', 2],
    ['b', 1],
  ])
  t.ok(accepted.get('a')![1]! > accepted.get('a')![0]!)
  const { messages, writes, turn, handed } = await server.call('work', undefined)
  t.same([messages, writes], [3, 2])
  t.ok(turn > 0 && handed > 0)
  t.ok((await server.call('memory', undefined)) > 1e6)
  t.match(await server.call('usage', undefined), { at: Number, cpu: Number, rssBytes: Number })
})

t.test('a closed loop, with every transport and without readers', async (t) => {
  const { url, port } = await build(t, { publish: true })
  const load = new Child<LoadApi>('load')
  t.teardown(() => load.stop())
  const target = { host: '127.0.0.1', port, path: '' }
  for (const kind of ['poll', 'longpoll', 'sse', 'ws', undefined] as const) {
    const aside = kind === 'ws' ? 3 : 0
    await load.call('startClosedLoop', { target, kind, subscribers: 4, payload: 20, aside })
    for (let i = 0; i < 2; i++) t.ok((await load.call('runClosedLoop', 40)).units >= 40, `${kind}`)
    await load.call('stopClosedLoop', undefined)
  }
  t.ok((await fetch(`${url}/poll?channel=bench-drive&cursor=earliest`)).ok)
  await load.call('startClosedLoop', {
    target: { ...target, path: '/nowhere' },
    kind: undefined,
    subscribers: 1,
    payload: 20,
    aside: 0,
  })
  await t.rejects(load.call('runClosedLoop', 1), /\/publish returned 404/)
  await load.call('stopClosedLoop', undefined)
  await load.call('startClosedLoop', {
    target: { ...target, path: '/nowhere' },
    kind: 'sse',
    subscribers: 1,
    payload: 20,
    aside: 0,
  })
  await t.rejects(load.call('runClosedLoop', 1), /\/sse returned/)
  await load.call('stopClosedLoop', undefined)
})

t.test('the load: concurrent connections fit in the accept queue', async (t) => {
  let connections = 0
  let asked: Socket[] = []
  let enough = () => {}
  const server = createServer((socket) => {
    connections++
    socket.on('error', () => {})
    socket.once('data', () => {
      asked.push(socket)
      enough()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const load = new Child<LoadApi>('load')
  t.teardown(() => load.stop())
  const opened = load.call('open', {
    target: { host: '127.0.0.1', port, path: '' },
    kind: 'sse',
    profile: 'minimal',
    interval: 1,
    pause: false,
    wait: 25,
    seed: 1,
    channels: new Array<string>(230).fill('a'),
    messages: new Array<number>(230).fill(0),
    corruptMessages: false,
  })
  for (const [turn, count] of [100, 100, 30].entries()) {
    await new Promise<void>((resolve) => {
      enough = () => asked.length === count && resolve()
      enough()
    })
    // Connections opened before this one have been accepted when it gets its response.
    const last = connect(port, '127.0.0.1')
    t.teardown(() => last.destroy())
    await once(server, 'connection')
    t.equal(connections, 100 * turn + count + turn + 1)
    const ready = 'event: ready\ndata: {}\n\n'
    const answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${ready.length.toString(16)}\r\n${ready}\r\n`
    const held = asked
    asked = []
    for (const socket of held) socket.write(answer)
  }
  await opened
  await load.call('close', undefined)
})
