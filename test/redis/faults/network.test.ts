import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import type { Use } from '../line.ts'
import { Stage } from '../stage.ts'
import { faults } from './table.ts'

/** How long the fault lasts, in milliseconds: longer than a connection is taken for alive. */
const STALL = 10_000

const rows: Record<string, (t: import('tap').Test) => Promise<void>> = {}

for (const use of ['feed', 'commands', undefined] as (Use | undefined)[]) {
  const title = `a proxy stalls ${use ?? 'all connections'} and lets the old bytes through later`
  rows[`${title}: nothing twice, no gap`] = async (t) => {
    const stage = await Stage.set(t)
    await stage.mark()
    if (use === undefined) stage.line.close()
    else stage.line.stall(use)
    await wait(STALL)
    stage.line.release()
    await stage.publisher.more(100)
    for (const status of stage.publisher.refused.keys()) t.equal(status, 503)
    await stage.conclude()
  }
}

rows['Redis is frozen for 8 s: nothing lost, nothing twice, no gap'] = async (t) => {
  const stage = await Stage.set(t)
  await stage.mark()
  stage.redis.freeze()
  await wait(8000)
  stage.redis.thaw()
  await stage.publisher.more(100)
  for (const status of stage.publisher.refused.keys()) t.equal(status, 503)
  await stage.conclude()
}

rows['CLIENT KILL in a loop: nothing lost, nothing twice, no gap, and nothing grows'] = async (t) => {
  const stage = await Stage.set(t)
  await stage.mark()
  const loop = async (times: number) => {
    for (let i = 0; i < times; i++) {
      await stage.redis.call('CLIENT', 'KILL', 'TYPE', 'NORMAL', 'SKIPME', 'yes')
      await stage.publisher.more(5)
    }
  }
  // What it takes to come back, once or many times, is the same.
  await loop(10)
  const before = await Promise.all(stage.instances.map((instance) => instance.measure()))
  await loop(30)
  await stage.conclude()
  const after = await Promise.all(stage.instances.map((instance) => instance.measure()))
  for (const [i, { heap, handles }] of after.entries()) {
    t.ok(heap < before[i]!.heap + 4_000_000, `${before[i]!.heap} and ${heap} bytes`)
    // Thirty faults would leave thirty. A few come and go: clients reconnect, too.
    t.ok((handles.TCPSocketWrap ?? 0) < (before[i]!.handles.TCPSocketWrap ?? 0) + 10, 'sockets')
    t.ok((handles.Timeout ?? 0) < (before[i]!.handles.Timeout ?? 0) + 10, 'timers')
  }
}

rows['SCRIPT FLUSH in a loop: nothing lost, nothing twice, no gap'] = async (t) => {
  const stage = await Stage.set(t)
  for (let i = 0; i < 30; i++) {
    await stage.redis.call('SCRIPT', 'FLUSH')
    await stage.publisher.more(5)
  }
  t.strictSame([...stage.publisher.refused], [])
  await stage.conclude()
}

faults(t, rows)
