import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, release, setPriority, totalmem } from 'node:os'
import { delimiter, join } from 'node:path'
import { Worker } from 'node:worker_threads'

/** Facts about the machine from Linux interfaces. Elsewhere, these figures are missing. */

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly platform: string
  readonly kernel: string
  readonly node: string
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    kernel: release(),
    node: process.version,
  }
}

const PACKAGES = ['fastify-tidings', 'fastify', 'ws', 'hdr-histogram-js', 'autocannon']

/** Returns the versions of the installed packages that affect the figures. */
export function versions(packages: readonly string[] = PACKAGES): Record<string, string> {
  const require = createRequire(import.meta.url)
  const known = packages.flatMap((name) => {
    try {
      return [[name, (require(`${name}/package.json`) as { version: string }).version]]
    } catch {
      return []
    }
  })
  return Object.fromEntries(known)
}

/** Runs a tool. @returns its standard output, or undefined if the tool fails or does not exist */
function tool(name: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(name, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    )
  })
}

/** Whether a tool is in PATH. */
export function hasTool(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
}

/** Pins a process to its cores. @returns whether that worked */
export async function pin(
  pid: number,
  core: 'server' | 'load',
  cores = availableParallelism(),
): Promise<boolean> {
  const last = cores - 1
  if (last === 0) return false
  const list = core === 'server' ? '0' : `1-${last}`
  return (await tool('taskset', ['-a', '-c', '-p', list, String(pid)])) !== undefined
}

/**
 * Lowers the priority of a process so that the time-keeping processes on its core come first. This needs no privileges.
 * With `nice` alone, the process still keeps the core until its slice of one to three milliseconds ends.
 * @param atOnce uses the idle scheduling class, which yields immediately but starves on a busy machine
 */
export async function lowerPriority(pid: number, atOnce: boolean): Promise<void> {
  if (atOnce && (await tool('chrt', ['-i', '-a', '-p', '0', String(pid)])) !== undefined) return
  setPriority(pid, 10)
}

/** TCP segments of the connections to a port, counted by the kernel. */
export interface Segments {
  readonly in: number
  readonly out: number
}

/** @param without remote ports to exclude */
export async function segmentsOf(port: number, without: readonly number[]): Promise<Segments | undefined> {
  const text = await tool('ss', ['-tinH', `( sport = :${port} )`])
  if (text === undefined) return undefined
  const total = { in: 0, out: 0 }
  // Two lines per connection: the addresses, then the figures, which start with whitespace.
  for (const one of text.split(/\n(?=\S)/)) {
    const peer = Number(/:(\d+)\s*\n/.exec(one)?.[1])
    if (without.includes(peer)) continue
    total.in += Number(/segs_in:(\d+)/.exec(one)?.[1] ?? 0)
    total.out += Number(/segs_out:(\d+)/.exec(one)?.[1] ?? 0)
  }
  return total
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** Returns the machine's CPU ticks since boot: the total, and the ticks stolen by the host. */
export function steal(file = '/proc/stat'): { total: number; stolen: number } {
  const ticks = (/^cpu +(.*)$/m.exec(read(file))?.[1] ?? '0').split(' ').map(Number)
  return { total: ticks.reduce((sum, tick) => sum + tick, 0), stolen: ticks[7] ?? 0 }
}

/**
 * Keeps a core busy in a thread, and reports the milliseconds in which it did not run: the steps of the clock that are
 * longer than half a millisecond. Plain JavaScript, because TypeScript loaders do not apply to worker threads.
 */
const SPINNER = `
const { parentPort, workerData: milliseconds } = require('node:worker_threads')
const begun = performance.now()
let before = begun
let lost = 0
while (before < begun + milliseconds) {
  const at = performance.now()
  if (at - before > 0.5) lost += at - before
  before = at
}
parentPort.postMessage(lost / (before - begun))`

/**
 * Returns the share of CPU that is not available, because the host steals it or other processes use it. It shows only
 * while all cores are busy. Some hosts do not report what they steal, so threads look for gaps in their own time.
 * @param milliseconds time to keep all cores busy
 */
export async function measureSteal(milliseconds = 1000): Promise<number> {
  const before = steal()
  const lost = await Promise.all(
    cpus().map(async () => {
      const worker = new Worker(SPINNER, { eval: true, execArgv: [], workerData: milliseconds })
      return (await once(worker, 'message'))[0] as number
    }),
  )
  const after = steal()
  return Math.max(...lost, (after.stolen - before.stolen) / Math.max(1, after.total - before.total))
}

/** Returns how long the main thread was runnable without a core, in microseconds. */
export function waited(file = '/proc/self/schedstat'): number {
  return Number(read(file).split(' ')[1] ?? 0) / 1e3
}

/** The kernel's slab caches that a connection uses. */
const CACHES =
  /^(TCP|TCPv6|sock_inode_cache|filp|dentry|eventpoll_epi|eventpoll_pwq|skbuff_\w+|kmalloc-\S+) +(\d+) +\d+ +(\d+)/gm

/**
 * Returns the bytes in the slab caches of connections, or undefined if they are not readable (usually for non-root
 * users). /proc/net/sockstat would only show buffered data, which idle connections do not have.
 */
export function slabBytes(file = '/proc/slabinfo'): number | undefined {
  let total = 0
  for (const [, , active, size] of read(file).matchAll(CACHES)) total += Number(active) * Number(size)
  return total > 0 ? total : undefined
}

/** Returns the limit of open files of this process, or Infinity if unknown. */
export function openFiles(file = '/proc/self/limits'): number {
  const most = /^Max open files +(\d+)/m.exec(read(file))?.[1]
  return most === undefined ? Number.POSITIVE_INFINITY : Number(most)
}

/** Returns the local process that listens on a URL's port, or undefined if it is remote or belongs to another user. */
export function pidOf({ hostname, port }: URL, root = '/proc'): number | undefined {
  if (!/^(localhost|127\.\d+\.\d+\.\d+|\[::1?\])$/.test(hostname)) return undefined
  const wanted = Number(port || 80)
    .toString(16)
    .toUpperCase()
    .padStart(4, '0')
  const LISTENS = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F:]+ 0A (?:\S+ +){5}(\d+)/gm
  const lines = [...`${read(`${root}/net/tcp`)}\n${read(`${root}/net/tcp6`)}`.matchAll(LISTENS)]
  const sockets = lines.filter(([, own]) => own === wanted).map(([, , inode]) => `socket:[${inode}]`)
  if (sockets.length === 0) return undefined
  const listens = (pid: string) => {
    try {
      return readdirSync(`${root}/${pid}/fd`).some((fd) => {
        try {
          return sockets.includes(readlinkSync(`${root}/${pid}/fd/${fd}`))
        } catch {
          return false
        }
      })
    } catch {
      return false
    }
  }
  const found = readdirSync(root)
    .filter((name) => /^\d+$/.test(name))
    .filter(listens)
  // In a cluster, several processes share the socket; which of them does the work is unknown.
  return found.length === 1 ? Number(found[0]) : undefined
}

/**
 * Returns the CPU time of a process in microseconds, the sum over its threads in /proc, which is independent of the
 * process's own figure. Undefined if not available.
 */
export function procCpuOf(pid: number, root = '/proc'): number | undefined {
  let total = 0
  try {
    for (const thread of readdirSync(`${root}/${pid}/task`)) {
      total += Number(read(`${root}/${pid}/task/${thread}/schedstat`).split(' ')[0]) / 1e3
    }
  } catch {
    return undefined
  }
  return total > 0 ? total : undefined
}
