import t, { type Test } from 'tap'
import { ask } from '../../request.ts'
import { seqOf } from '../judge.ts'
import { Line } from '../line.ts'
import type { Accepted } from '../publisher.ts'
import { ALWAYS, RedisServer } from '../server.ts'
import { logOf, Stage } from '../stage.ts'
import { faults } from './table.ts'

/** A replica of the stage's Redis, behind a line of its own that can be stalled. */
async function replicate(t: Test, stage: Stage): Promise<{ replica: RedisServer; between: Line }> {
  const between = await Line.start(t, stage.redis.port)
  const replica = await RedisServer.start(t, ALWAYS)
  await replica.call('REPLICAOF', '127.0.0.1', between.port)
  await replica.follows(stage.redis)
  return { replica, between }
}

/** The replica takes over, and the proxy leads to it. */
async function promote(stage: Stage, replica: RedisServer, lead: () => unknown): Promise<void> {
  await replica.call('REPLICAOF', 'NO', 'ONE')
  stage.redis = replica
  await lead()
}

/** The ways in which clients come to the new master. */
const WAYS: Record<string, (stage: Stage, old: RedisServer) => unknown> = {
  'the old one is killed': async (stage, old) => {
    stage.line.target = stage.redis.port
    await old.kill()
  },
  'a proxy swaps the servers behind open connections': (stage) => stage.line.swap(stage.redis.port),
}

const rows: Record<string, (t: Test) => Promise<void>> = {}

for (const [way, lead] of Object.entries(WAYS)) {
  rows[`a replica with a lost tail is promoted, ${way}: one gap ahead at the fork`] = async (t) => {
    const stage = await Stage.set(t, { load: false })
    const { replica, between } = await replicate(t, stage)
    for (let i = 0; i < 20; i++) await stage.publisher.publish()
    const fork = await stage.mark()
    await replica.follows(stage.redis)
    between.stall()
    for (let i = 0; i < 20; i++) await stage.publisher.publish()
    const lost = await stage.mark()
    const old = stage.redis
    await promote(stage, replica, () => lead(stage, old))
    await forked(t, stage, fork, lost)
  }

  rows[`a replica with everything is promoted, ${way}: nobody notices`] = async (t) => {
    const stage = await Stage.set(t, { load: false })
    const { replica } = await replicate(t, stage)
    stage.publisher.start(4, 10)
    await stage.publisher.more(50)
    await stage.publisher.stop()
    const { cursor } = await stage.mark()
    await replica.follows(stage.redis)
    const old = stage.redis
    await promote(stage, replica, () => lead(stage, old))
    for (let i = 0; i < 30; i++) await stage.publisher.publish()
    t.equal((await ask(`${stage.base}/poll?channel=a&channel=b&cursor=${cursor}`)).status, 200)
    await stage.conclude()
    t.ok((await logOf(stage.instances[0]!.url)).length > 80)
  }
}

rows['A, B, and A again without a restart, with everything: nobody notices'] = async (t) => {
  const stage = await Stage.set(t, { load: false })
  const { replica } = await replicate(t, stage)
  const first = stage.redis
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 10; i++) await stage.publisher.publish()
    await stage.mark()
    const [from, to] = round % 2 === 0 ? [first, replica] : [replica, first]
    await to.follows(from)
    await promote(stage, to, () => stage.line.swap(to.port))
    await from.call('REPLICAOF', '127.0.0.1', to.port)
  }
  await stage.conclude()
}

rows['A, B, and A again without a restart, with a lost tail: one gap ahead at the fork'] = async (t) => {
  const stage = await Stage.set(t, { load: false })
  const { replica } = await replicate(t, stage)
  const first = stage.redis
  for (let i = 0; i < 10; i++) await stage.publisher.publish()
  const fork = await stage.mark()
  await replica.follows(first)
  // B takes over, and what it takes never comes to A.
  await promote(stage, replica, () => stage.line.swap(replica.port))
  for (let i = 0; i < 10; i++) await stage.publisher.publish()
  const lost = await stage.mark()
  const epochs = async () => Number(await first.call('LLEN', '{tidings}:epochs'))
  const before = await epochs()
  stage.redis = first
  stage.line.swap(first.port)
  await forked(t, stage, fork, lost)
  t.equal(await epochs(), before + 1, 'one epoch, though all instances had followed the other server')
}

/** What holds after a fork of which all readers stood past the end. */
async function forked(t: Test, stage: Stage, fork: Accepted, lost: Accepted): Promise<void> {
  const { base, publisher } = stage
  const seq = seqOf(fork.cursor)
  await publisher.publish()
  // The balancer may lead to an instance that learns of it in a moment: to that one nothing has come after the cursor.
  let past = await ask(`${base}/poll?channel=a&cursor=${lost.cursor}`)
  while (past.status === 204) past = await ask(`${base}/poll?channel=a&cursor=${lost.cursor}`)
  t.match([past.status, past.json.reason], [410, 'ahead'])
  t.equal(seqOf(past.json.cursor), seq)
  for (let i = 0; i < 40; i++) await publisher.publish()
  const later = await ask(`${base}/poll?channel=a&cursor=${lost.cursor}`)
  t.match([later.status, later.json.reason], [410, 'ahead'], 'also where the log has passed it')
  t.equal(seqOf(later.json.cursor), seq)
  t.equal((await ask(`${base}/poll?channel=a&channel=b&cursor=${fork.cursor}`)).status, 200, 'not past it')
  await stage.conclude({
    gaps: () => [`ahead ${seq}`],
    lost: ({ cursor }) => cursor.split('.')[0] === lost.cursor.split('.')[0] && seqOf(cursor) > seq,
  })
}

faults(t, rows)
