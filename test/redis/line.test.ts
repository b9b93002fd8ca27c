import t from 'tap'
import { Line } from './line.ts'
import { Control } from './resp.ts'
import { NO_FILE, needsRedis, RedisServer } from './server.ts'

t.test('what is stalled comes later, also when its sender has gone', async (t) => {
  if (!needsRedis(t)) return
  const redis = await RedisServer.start(t, NO_FILE)
  const line = await Line.start(t, redis.port)
  const client = await Control.open(line.port)
  t.equal(await client.call('SET', 'key', 'one'), 'OK')
  line.stall()
  const passed = line.command(/^SET$/)
  client.call('SET', 'key', 'two').catch(() => {})
  await passed
  client.close()
  t.equal(await redis.call('GET', 'key'), 'one')
  const other = await Control.open(line.port)
  t.equal(await other.call('GET', 'key'), 'one', 'a new connection passes')
  line.release()
  while ((await redis.call('GET', 'key')) !== 'two') await new Promise((resolve) => setImmediate(resolve))
  other.close()
  while (line.open > 0) await new Promise((resolve) => setImmediate(resolve))
  t.equal(await redis.connections(), 0)
})

t.test('one use of two is stalled, and new connections where it is closed', async (t) => {
  if (!needsRedis(t)) return
  const redis = await RedisServer.start(t, NO_FILE)
  const line = await Line.start(t, redis.port)
  const feed = await Control.open(line.port)
  const commands = await Control.open(line.port)
  const waiting = feed.call('XREAD', 'BLOCK', '0', 'STREAMS', 'log', '0')
  await commands.call('EVAL', 'return 1', '0')
  line.stall('feed')
  await commands.call('EVAL', "return redis.call('XADD', 'log', '1-1', 'field', 'value')", '0')
  line.release()
  t.match(await waiting, [['log', [['1-1', ['field', 'value']]]]])
  line.close()
  const late = await Control.open(line.port)
  const answer = late.call('PING')
  t.equal(await redis.call('PING'), 'PONG')
  line.release()
  t.equal(await answer, 'PONG')
  for (const each of [feed, commands, late]) each.close()
})

t.test('the server behind an open connection is swapped: what waits goes on there', async (t) => {
  if (!needsRedis(t)) return
  const [one, other] = [await RedisServer.start(t, NO_FILE), await RedisServer.start(t, NO_FILE)]
  const line = await Line.start(t, one.port)
  const client = await Control.open(line.port)
  await client.call('HELLO', '3')
  await client.call('SET', 'key', 'one')
  await other.call('SET', 'key', 'other')
  const feed = await Control.open(line.port)
  const waiting = feed.call('XREAD', 'BLOCK', '0', 'STREAMS', 'log', '0')
  t.equal(await client.call('GET', 'key'), 'one')
  line.swap(other.port)
  t.equal(await client.call('GET', 'key'), 'other')
  t.match(
    await client.call('HELLO'),
    ['server', 'redis', 'version', String, 'proto', '3'],
    'set up as before',
  )
  await other.call('XADD', 'log', '2-1', 'field', 'value')
  t.match(await waiting, [['log', [['2-1', ['field', 'value']]]]])
  for (const each of [feed, client]) each.close()
})
