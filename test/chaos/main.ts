import { parseArgs } from 'node:util'
import { runChaos } from './chaos.ts'

/*
 * `npm run chaos -- --minutes 60`: clients of all transports under all that a network and a server do to them, held
 * against the server's own record. Prints its figures as JSON, its progress on stderr; exits with 1 on any violation.
 */

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '40' },
    rate: { type: 'string', default: '50' },
    kills: { type: 'string' },
    retention: { type: 'string', default: '25' },
  },
})
const number = (name: string, value: string) => {
  const parsed = Number(value)
  if (value.trim() !== '' && Number.isFinite(parsed) && parsed >= 0) return parsed
  process.stderr.write(`--${name} must be a number, not '${value}'\n`)
  process.exit(2)
}
const minutes = number('minutes', values.minutes)
const plan = {
  minutes,
  seed: number('seed', values.seed),
  clients: number('clients', values.clients),
  rate: number('rate', values.rate),
  // Ten an hour, and one at least.
  kills: number('kills', values.kills ?? `${Math.max(1, Math.round(minutes / 6))}`),
  retention: number('retention', values.retention),
}

// Whatever hangs, it ends.
const watchdog = setTimeout(
  () => {
    process.stderr.write('the run has not ended in time\n')
    process.exit(1)
  },
  (minutes + 6) * 60_000,
)
watchdog.unref()

const figures = await runChaos(plan, (line) => process.stderr.write(`${line}\n`))
process.stdout.write(`${JSON.stringify({ plan, node: process.version, ...figures }, undefined, 2)}\n`)
process.exit(Object.keys(figures.violations).length ? 1 : 0)
