import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { hasTool, machine, versions } from '../machine.ts'
import { type Line, markdown } from './figures.ts'
import { publishing } from './publishing.ts'
import { type Bench, delay, following, growth, load, readers } from './sections.ts'
import { RedisServer } from './server.ts'

/*
 * What a log in Redis costs beside one in memory, and beside what Redis can do at best. Both sides take turns in one
 * run. Progress goes to stderr, the table to stdout.
 */

const HELP = `Usage: npm run bench:redis -- [options]

  --rounds N     of each pair, by turns (3)
  --only NAMES   of: publishing, delay, load, following, readers, growth (all)
  --publish      puts the table into benchmarks/results/redis.md
  --help         this text
`

const FILE = 'benchmarks/results/redis.md'
const SECTIONS: Readonly<Record<string, (bench: Bench) => Promise<Line[]>>> = {
  publishing,
  delay,
  load,
  following,
  readers,
  growth,
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: Object.keys(SECTIONS).join() },
    publish: { type: 'boolean', default: false },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  process.stdout.write(HELP)
  process.exit()
}
const rounds = Number(values.rounds)
const only = values.only.split(',')
if (!(rounds >= 1) || !only.every((name) => Object.hasOwn(SECTIONS, name))) {
  process.stderr.write('bench:redis: --rounds or --only is off; see --help\n')
  process.exit(2)
}
if (!hasTool('redis-server') || !hasTool('redis-benchmark')) {
  process.stderr.write('bench:redis: redis-server and redis-benchmark are needed\n')
  process.exit(2)
}

const began = performance.now()
const [busy = 0] = loadavg()
const servers = { 'no file': await RedisServer.start('no file'), always: await RedisServer.start('always') }
const bench: Bench = { servers, rounds, progress: (text) => process.stderr.write(`${text}\n`) }
const lines: Line[] = []
try {
  for (const name of only) lines.push(...(await SECTIONS[name]!(bench)))
} finally {
  for (const server of Object.values(servers)) server.end()
}
const table = markdown(lines)
process.stdout.write(table)

if (values.publish) {
  const { cpu, cores, node, kernel, platform } = machine()
  const [{ redis = '?' }, server] = [versions(['redis']), await version()]
  const took = Math.round((performance.now() - began) / 1000)
  writeFileSync(
    FILE,
    `# A log in Redis

Written by \`npm run bench:redis -- --publish\` on ${new Date().toISOString().slice(0, 10)}, in ${took} s: ${cores} cores of ${cpu}, ${platform} ${kernel}, Node ${node}, Redis ${server}, node-redis ${redis}. Medians of ${rounds} rounds, in brackets the least and the most. Both sides of a line took turns in one run, and all processes shared the machine, whose load average was ${busy.toFixed(1)} when the run began: much above 0, the figures are those of a busy machine. \`always\` is \`appendfsync always\`; \`no file\` is a Redis without one.

${table}`,
  )
}

async function version(): Promise<string> {
  const { execFileSync } = await import('node:child_process')
  return /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? '?'
}
