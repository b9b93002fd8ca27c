import t from 'tap'
import { needs } from '../needs.ts'
import { deploy } from './deploy/deploy.ts'
import { needsRedis } from './server.ts'

t.test(
  'a rolling deploy behind nginx: nothing lost, nothing twice, no gap',
  { timeout: 280_000 },
  async (t) => {
    if (!needsRedis(t) || needs(t, 'nginx') === undefined) return
    await deploy(t, { clients: 40, rate: 30, drain: 3000 })
  },
)
