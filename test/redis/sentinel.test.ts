import { Redis } from 'ioredis'
import { createSentinel } from 'redis'
import t, { type Test } from 'tap'
import { type AppClient, Pair } from './pair.ts'
import { ALWAYS, needsRedis, RedisServer } from './server.ts'

const NAME = 'tidings'

/** @returns the port of the one whom the Sentinel takes for the master */
async function masterOf(sentinel: RedisServer): Promise<number> {
  const [, port] = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as string[]
  return Number(port)
}

const CLIENTS: Record<string, (port: number) => AppClient | Promise<AppClient>> = {
  ioredis: (port) => new Redis({ sentinels: [{ host: '127.0.0.1', port }], name: NAME, lazyConnect: true }),
  'node-redis': (port) => createSentinel({ name: NAME, sentinelRootNodes: [{ host: '127.0.0.1', port }] }),
}

for (const [library, make] of Object.entries(CLIENTS)) {
  t.test(
    `Sentinel, by ${library}: the master is killed, and nobody notices`,
    { timeout: 240_000 },
    async (t: Test) => {
      if (!needsRedis(t)) return
      const [master, replica] = [await RedisServer.start(t, ALWAYS), await RedisServer.start(t, ALWAYS)]
      await replica.call('REPLICAOF', '127.0.0.1', master.port)
      await replica.follows(master)
      const sentinel = await RedisServer.sentinel(
        t,
        `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 1
sentinel down-after-milliseconds ${NAME} 1000
sentinel failover-timeout ${NAME} 10000
`,
      )
      // It finds the replica by asking the master.
      while (!String(await sentinel.call('SENTINEL', 'REPLICAS', NAME)).includes(`${replica.port}`));
      const pair = await Pair.set(t, () => make(sentinel.port))
      await pair.exchange(20)
      await replica.follows(master)
      // One that lives on would take messages until it hears that it is the master no more.
      await master.kill()
      while ((await masterOf(sentinel)) !== replica.port);
      await pair.exchange(20)
      await pair.conclude()
      t.equal(await replica.info('role'), 'master')
    },
  )
}
