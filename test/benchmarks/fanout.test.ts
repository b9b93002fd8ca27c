import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Counted, Start, Window } from '../../benchmarks/fanout/load.ts'
import { LOADER, ROOT, UNCOVERED } from '../child.ts'

/** Listens until the test is over. @returns the port */
async function listening(t: Test, connection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    t.teardown(() => socket.destroy())
    socket.on('error', () => {})
    connection(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** The load of the fan-out, and a server that hands on each message at once. */
async function loadOf(t: Test): Promise<{ run: (window: Window) => Promise<Counted>; pid: number }> {
  const streams = new Set<Socket>()
  const port = await listening(t, (socket) => {
    streams.add(socket)
    socket.once('data', () => socket.write('ready'))
  })
  const control = await listening(t, (socket) => {
    socket.on('data', (bytes) => {
      for (const stream of streams) stream.write('!'.repeat(bytes.length))
    })
  })
  const start: Start = { transport: 'sse', port, control, readers: 2, channels: 1, fill: 0 }
  const child = fork(join(ROOT, 'benchmarks/fanout/load.ts'), [JSON.stringify(start)], {
    execArgv: LOADER,
    env: { ...process.env, ...UNCOVERED },
  })
  t.teardown(async () => {
    const gone = once(child, 'exit')
    child.disconnect()
    await gone
  })
  await once(child, 'message')
  return {
    pid: child.pid!,
    async run(window) {
      child.send(window)
      return (await once(child, 'message'))[0]
    },
  }
}

t.test('an open loop counts from the planned time, though the load itself was late', async (t) => {
  const { run, pid } = await loadOf(t)
  const counting = run({ outstanding: 0, rate: 100, duration: 600 })
  await sleep(100)
  process.kill(pid, 'SIGSTOP')
  await sleep(300)
  process.kill(pid, 'SIGCONT')
  const { published, deliveries, p99 } = await counting
  t.equal(deliveries, 2 * published)
  t.ok(p99 > 150_000, `${p99} µs: it could do nothing for 300 ms, and published every 10 of them`)
})

t.test('a closed loop counts from the moment at which it asks', async (t) => {
  const { run } = await loadOf(t)
  const { published, deliveries, p50 } = await run({ outstanding: 2, rate: 0, duration: 50 })
  t.ok(published >= 2 && deliveries === 2 * published && p50 > 0)
})
