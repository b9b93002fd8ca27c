import t from 'tap'
import { NO_FILE, needsRedis, RedisServer } from './server.ts'

// The same tests with the log of each app in Redis.
if (needsRedis(t)) {
  process.env.TIDINGS_TEST_REDIS = (await RedisServer.start(t, NO_FILE)).url
  await import('../routes/ends.test.ts')
  await import('../routes/starts.test.ts')
  await import('../diagnostics.test.ts')
  await import('../metrics.test.ts')
  await import('../bus/page.test.ts')
  await import('../model.test.ts')
}
