import { parseArgs } from 'node:util'
import t from 'tap'
import { deploy } from './deploy.ts'

/*
 * `npm run deploys -- --clients 200 --rate 100`: the rolling deploy of the test beside it, as large as it is asked for.
 */

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '200' },
    rate: { type: 'string', default: '100' },
    drain: { type: 'string', default: '10' },
  },
})
const plan = {
  clients: Number(values.clients),
  rate: Number(values.rate),
  drain: Number(values.drain) * 1000,
}
if (!Object.values(plan).every((value) => value > 0)) {
  process.stderr.write('--clients, --rate and --drain (seconds) must be numbers above 0\n')
  process.exit(2)
}
// Without the runner, the whole process has 30 seconds.
t.setTimeout(360_000)
t.test(`${plan.clients} clients, ${plan.rate} messages a second`, { timeout: 300_000 }, (t) =>
  deploy(t, plan),
)
