import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { FULL_RUN } from './full-run.ts'
import { hasTool, measureSteal, openFiles, procCpuOf, slabBytes } from './machine.ts'
import { parseBenchOptions } from './options.ts'
import { planOf, type Settings } from './plan.ts'
import { estimatedSeconds } from './run.ts'
import { counted } from './table.ts'

/** Checks whether this machine can run the benchmark. */

export interface Finding {
  /** `required`: a full run fails without it. `recommended`: a full run works without it, but less precisely. */
  readonly state: 'ok' | 'required' | 'recommended'
  readonly text: string
}

/** The checks of the machine. Tests pass their own. */
export interface MachineChecks {
  readonly cores: number
  /** The share of all cores that other processes use. */
  readonly busy: number
  readonly steal: number
  readonly files: number
  tool(name: string): boolean
  has(name: string): boolean
  readonly schedstat: boolean
  readonly slabs: boolean
}

/** Returns the share of time for which all cores together were busy. */
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

export async function checkMachine(): Promise<MachineChecks> {
  const require = createRequire(import.meta.url)
  const busy = await busyNow(2000)
  return {
    cores: availableParallelism(),
    busy,
    steal: await measureSteal(),
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
    schedstat: procCpuOf(process.pid) !== undefined,
    slabs: slabBytes() !== undefined,
  }
}

/** Maximum shares of the machine that other processes, and the host, may use. */
const BUSY = 0.05
const STOLEN = 0.02
const PEERS = { 'hdr-histogram-js': 'any run', autocannon: 'a full run', uplot: '--html and bench:publish' }
const TOOLS = {
  taskset: 'pins the server to its own core (util-linux)',
  chrt: 'lets the publisher preempt the load immediately (util-linux)',
  ss: 'counts TCP segments (iproute2)',
}

export function findingsOf(looked: MachineChecks, settings: Settings): Finding[] {
  const { cores, busy, steal, files, schedstat, slabs } = looked
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`
  const finding = (ok: boolean, state: 'required' | 'recommended', text: string): Finding => ({
    state: ok ? 'ok' : state,
    text,
  })
  const most =
    2 *
    Math.max(...FULL_RUN.deliveryCpu.subscribers, ...FULL_RUN.idleSubscribers, settings.workload.subscribers)
  return [
    finding(cores >= 2, 'required', `cores: ${cores} (at least 2: the server needs its own)`),
    finding(
      busy <= BUSY,
      'required',
      `CPU used by other processes: ${percent(busy)} (at most ${percent(BUSY)})`,
    ),
    finding(
      steal <= STOLEN,
      'required',
      `CPU stolen by the host: ${percent(steal)} (at most ${percent(STOLEN)})`,
    ),
    finding(files > most, 'required', `ulimit -n: ${files} (more than ${most})`),
    ...Object.entries(PEERS).map(([name, use]) =>
      finding(looked.has(name), 'required', `package ${name}: ${use}`),
    ),
    ...Object.entries(TOOLS).map(([name, use]) =>
      finding(looked.tool(name), 'recommended', `${name}: ${use}`),
    ),
    finding(schedstat, 'recommended', '/proc/PID/task/*/schedstat: verifies the CPU figures'),
    finding(slabs, 'recommended', '/proc/slabinfo: kernel memory per connection (usually root only)'),
  ]
}

const SIGNS = { ok: '✓', required: '✗', recommended: '?' }

/**
 * Runs the command `bench doctor` with the flags of the planned run.
 * @returns 0, or 2 if a requirement of the run is missing
 */
export async function doctorCommand(
  args: string[],
  print: (text: string) => unknown,
  looking: () => Promise<MachineChecks> = checkMachine,
): Promise<number> {
  const options = parseBenchOptions(args)
  if (options === 'help') {
    print(
      'fastify-tidings-bench doctor: check whether this machine can run the benchmark, and estimate the duration\n\nUsage: fastify-tidings-bench doctor [options of bench]\n',
    )
    return 0
  }
  const findings = findingsOf(await looking(), options)
  for (const { state, text } of findings) print(`${SIGNS[state]} ${text}\n`)
  const seconds = estimatedSeconds(options, planOf(options))
  print(
    `The run will take ${Math.ceil(seconds / 60)} min, or at most ${options.minutes} min if rounds are repeated.\n`,
  )
  const missing = findings.filter(({ state }) => state === 'required').length
  if (missing > 0) print(`${counted(missing, 'requirement (✗) is', 'requirements (✗) are')} not met.\n`)
  return missing > 0 ? 2 : 0
}
