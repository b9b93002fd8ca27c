import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { LoadOptions, Window, WindowCounts } from '../../benchmarks/fanout/load.ts'
import { LOADER, ROOT, UNCOVERED } from '../child.ts'

/** Listens until the end of the test. @returns the port */
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

/** Starts the load of the fan-out benchmark against a server that forwards each message at once. */
async function loadOf(t: Test): Promise<{ run: (window: Window) => Promise<WindowCounts>; pid: number }> {
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
  const start: LoadOptions = { transport: 'sse', port, control, readers: 2, channels: 1, fill: 0 }
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

t.test('an open loop measures from the planned time, even if the load is late', async (t) => {
  const { run, pid } = await loadOf(t)
  const counting = run({ outstanding: 0, rate: 100, duration: 600 })
  await sleep(100)
  process.kill(pid, 'SIGSTOP')
  await sleep(300)
  process.kill(pid, 'SIGCONT')
  const { published, deliveries, p99 } = await counting
  t.equal(deliveries, 2 * published)
  t.ok(p99 > 150_000, `${p99} µs, although the load was blocked for 300 ms and published every 10 ms`)
})

t.test('a closed loop measures from the trigger', async (t) => {
  const { run } = await loadOf(t)
  const { published, deliveries, p50 } = await run({ outstanding: 2, rate: 0, duration: 50 })
  t.ok(published >= 2 && deliveries === 2 * published && p50 > 0)
})
