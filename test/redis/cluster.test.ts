import { Cluster } from 'ioredis'
import { createCluster } from 'redis'
import t, { type Test } from 'tap'
import { freePort } from '../proxies/launch.ts'
import { type AppClient, Pair } from './pair.ts'
import { ALWAYS, needsRedis, RedisServer } from './server.ts'

const SLOTS = 16_384

async function startNode(t: Test): Promise<RedisServer> {
  const bus = await freePort()
  return RedisServer.start(t, {
    ...ALWAYS,
    'cluster-enabled': 'yes',
    'cluster-port': `${bus}`,
    'cluster-node-timeout': '2000',
  })
}

const meet = async (node: RedisServer, other: RedisServer) => {
  const [, busPort] = (await node.call('CONFIG', 'GET', 'cluster-port')) as string[]
  await other.call('CLUSTER', 'MEET', '127.0.0.1', node.port, busPort!)
}

/** Resolves once each knows that all slots are served, by so many nodes. */
async function ready(nodes: readonly RedisServer[]): Promise<void> {
  for (const node of nodes) {
    for (;;) {
      const info = String(await node.call('CLUSTER', 'INFO'))
      if (/cluster_state:ok/.test(info) && info.includes(`cluster_known_nodes:${nodes.length}`)) break
    }
  }
}

/** Redis gives up a failover by hand that takes too long. */
async function takeOver(replica: RedisServer): Promise<void> {
  for (;;) {
    await replica.call('CLUSTER', 'FAILOVER').catch(() => {})
    for (let i = 0; i < 5000; i++) if ((await replica.info('role')) === 'master') return
  }
}

const CLIENTS: Record<string, (port: number) => AppClient | Promise<AppClient>> = {
  ioredis: (port) => new Cluster([{ host: '127.0.0.1', port }], { lazyConnect: true }),
  'node-redis': (port) => createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] }),
}

for (const [library, make] of Object.entries(CLIENTS)) {
  t.test(
    `Cluster, by ${library}: on one of three, and its replica takes over`,
    { timeout: 240_000 },
    async (t) => {
      if (!needsRedis(t)) return
      const masters = await Promise.all([startNode(t), startNode(t), startNode(t)])
      const step = Math.ceil(SLOTS / masters.length)
      for (const [i, node] of masters.entries()) {
        const end = Math.min((i + 1) * step, SLOTS) - 1
        await node.call('CLUSTER', 'ADDSLOTSRANGE', i * step, end)
        if (i > 0) await meet(node, masters[0]!)
      }
      await ready(masters)
      const pair = await Pair.set(t, () => make(masters[0]!.port))
      await pair.exchange(20)

      // All keys of a bus are on one node.
      const sizes = await Promise.all(masters.map((node) => node.call('DBSIZE')))
      t.equal(sizes.filter((size) => size !== 0).length, 1)
      const owner = masters[sizes.findIndex((size) => size !== 0)]!
      const replica = await startNode(t)
      await meet(replica, owner)
      await ready([...masters, replica])
      await replica.call('CLUSTER', 'REPLICATE', String(await owner.call('CLUSTER', 'MYID')))
      await replica.follows(owner)
      await takeOver(replica)
      await pair.exchange(20)
      await pair.conclude()
    },
  )
}
