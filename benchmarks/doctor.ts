import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { LIMITS } from './limits.ts'
import { cpuOf, hasTool, openFiles, slabBytes, stealNow } from './machine.ts'
import { readBench } from './options.ts'
import { planOf, type Settings } from './plan.ts'
import { needOf } from './run.ts'

/** Whether this machine can measure, before it tries. */

export interface Finding {
  /** `needed`: a full run does without it at no price. */
  readonly state: 'good' | 'needed' | 'better'
  readonly text: string
}

/** What is looked at; for tests, what else is found. */
export interface Looked {
  readonly cores: number
  /** The share of all cores that others use. */
  readonly busy: number
  readonly steal: number
  readonly files: number
  tool(name: string): boolean
  has(name: string): boolean
  readonly schedstat: boolean
  readonly slabs: boolean
}

/** The share of the time for which all cores together worked. */
async function busyNow(milliseconds: number): Promise<number> {
  const ticks = () => {
    const all = cpus().map(({ times }) => times)
    const idle = all.reduce((sum, time) => sum + time.idle, 0)
    return { idle, total: all.reduce((sum, time) => sum + Object.values(time).reduce((a, b) => a + b), 0) }
  }
  const before = ticks()
  await pause(milliseconds)
  const after = ticks()
  return 1 - (after.idle - before.idle) / Math.max(1, after.total - before.total)
}

export async function look(): Promise<Looked> {
  const require = createRequire(import.meta.url)
  const busy = await busyNow(2000)
  return {
    cores: availableParallelism(),
    busy,
    steal: await stealNow(),
    files: openFiles(),
    tool: hasTool,
    has(name) {
      try {
        require.resolve(name)
        return true
      } catch {
        return false
      }
    },
    schedstat: cpuOf(process.pid) !== undefined,
    slabs: slabBytes() !== undefined,
  }
}

/** The share of a machine that may be at work beside the run, and that its host may take. */
const BUSY = 0.05
const STOLEN = 0.02
const PEERS = { 'hdr-histogram-js': 'any run', autocannon: 'a full run', uplot: '--html and bench:publish' }
const TOOLS = {
  taskset: 'the server has a core of its own (util-linux)',
  chrt: 'the load gives way to the publisher at once (util-linux)',
  ss: 'segments of TCP are counted (iproute2)',
}

export function findingsOf(looked: Looked, settings: Settings): Finding[] {
  const { cores, busy, steal, files, schedstat, slabs } = looked
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`
  const finding = (good: boolean, state: 'needed' | 'better', text: string): Finding => ({
    state: good ? 'good' : state,
    text,
  })
  const most = 2 * Math.max(...LIMITS.hot.subscribers, ...LIMITS.idle, settings.workload.subscribers)
  return [
    finding(cores >= 2, 'needed', `cores: ${cores} (two or more: one is the server's alone)`),
    finding(
      busy <= BUSY,
      'needed',
      `at work beside the run: ${percent(busy)} of the cores (at most ${percent(BUSY)})`,
    ),
    finding(
      steal <= STOLEN,
      'needed',
      `taken away by the host: ${percent(steal)} (at most ${percent(STOLEN)})`,
    ),
    finding(files > most, 'needed', `ulimit -n: ${files} (more than ${most})`),
    ...Object.entries(PEERS).map(([name, use]) =>
      finding(looked.has(name), 'needed', `package ${name}, for ${use}`),
    ),
    ...Object.entries(TOOLS).map(([name, use]) => finding(looked.tool(name), 'better', `${name}: ${use}`)),
    finding(schedstat, 'better', '/proc/PID/task/*/schedstat: a second reader of CPU'),
    finding(slabs, 'better', "/proc/slabinfo: the kernel's memory of a connection (root alone)"),
  ]
}

const SIGNS = { good: '✓', needed: '✗', better: '?' }

/**
 * The command `bench doctor`, with the flags of the run that is meant.
 * @returns 0; 2 where something is missing that a run needs
 */
export async function doctorCommand(
  args: string[],
  print: (text: string) => unknown,
  looking: () => Promise<Looked> = look,
): Promise<number> {
  const options = readBench(args)
  if (options === 'help') {
    print(
      'fastify-tidings-bench doctor: whether this machine can measure, and how long it will take\n\nUsage: fastify-tidings-bench doctor [the flags of bench]\n',
    )
    return 0
  }
  const findings = findingsOf(await looking(), options)
  for (const { state, text } of findings) print(`${SIGNS[state]} ${text}\n`)
  const seconds = needOf(options, planOf(options))
  print(
    `A run will take ${Math.ceil(seconds / 60)} min, and ${options.minutes} min at most where rounds are repeated.\n`,
  )
  const missing = findings.filter(({ state }) => state === 'needed').length
  if (missing > 0) print(`${missing} of these must be mended first.\n`)
  return missing > 0 ? 2 : 0
}
