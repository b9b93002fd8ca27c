import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { now } from '../../benchmarks/clock.ts'
import { Child } from '../../benchmarks/processes/child.ts'
import type { ProxyApi } from '../../benchmarks/processes/proxy.ts'
import { resetConnection } from '../reset-connection.ts'
import { quickForks } from './small.ts'

const RTT = 30

/** Starts a server behind the proxy. @returns a connection to it, and the server's socket */
async function far(t: Test, proxy: Child<ProxyApi>): Promise<() => Promise<[near: Socket, far: Socket]>> {
  const server = createServer({ allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const through = await proxy.call('start', { host: '127.0.0.1', port, rtt: RTT })
  return async () => {
    const near = connect({ port: through, host: '127.0.0.1', allowHalfOpen: true })
    const [other] = (await once(server, 'connection')) as [Socket]
    t.teardown(() => {
      near.destroy()
      other.destroy()
    })
    return [near, other]
  }
}

t.test('the delay proxy: never early, in order, complete; forwards end and reset', async (t) => {
  const proxy = new Child<ProxyApi>('proxy')
  t.teardown(() => proxy.stop())
  const open = await far(t, proxy)

  const [near, other] = await open()
  other.on('data', (part) => other.write(part))
  const echo = async () => {
    const begun = now()
    near.write('x')
    await once(near, 'data')
    return (now() - begun) / 1000
  }
  t.ok((await echo()) >= 2 * RTT, 'the first bytes take an extra round trip, for the handshake')
  t.ok((await echo()) >= RTT, 'the second bytes take one round trip')

  // Above its bound, the proxy pauses the sender, and loses nothing.
  const sent = randomBytes(4 * 1024 * 1024)
  const parts: Buffer[] = []
  near.on('data', (part) => parts.push(part))
  near.end(sent)
  other.on('end', () => other.end())
  await once(near, 'end')
  t.ok(Buffer.concat(parts).equals(sent), 'in order, complete, followed by the end')
  t.ok((await proxy.call('lag', undefined)) >= 0)
  t.equal(await proxy.call('lag', undefined), 0, 'nothing since the last call')

  const [cut, left] = await open()
  cut.write('x')
  await once(left, 'data')
  const reset = new Promise<NodeJS.ErrnoException>((resolve) => left.once('error', resolve))
  resetConnection(cut)
  t.equal((await reset).code, 'ECONNRESET')
})

t.test('a process that exits early rejects pending calls', async (t) => {
  quickForks(t)
  const proxy = new Child<ProxyApi>('proxy')
  await t.rejects(
    proxy
      .call('start', { host: '127.0.0.1', port: -1, rtt: Number.NaN })
      .then(() => proxy.call('nope' as 'usage', undefined)),
    /nope|is not a function/,
  )
  const asked = proxy.call('start', { host: '127.0.0.1', port: 1, rtt: 1 })
  process.kill(proxy.pid, 'SIGKILL')
  await t.rejects(
    asked.then(() => proxy.call('usage', undefined)),
    /exited early|closed/i,
  )
  await proxy.stop()
  await t.rejects(proxy.call('usage', undefined), /closed/i)
})
