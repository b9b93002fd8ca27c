import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, release, setPriority, totalmem } from 'node:os'
import { delimiter, join } from 'node:path'
import { Worker } from 'node:worker_threads'

/** What the machine tells, where it does: on Linux. Elsewhere these figures are left out. */

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
    /* c8 ignore next -- a machine that does not name its cores */
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    kernel: release(),
    node: process.version,
  }
}

const PACKAGES = ['fastify-tidings', 'fastify', 'ws', 'hdr-histogram-js', 'autocannon']

/** What was measured, and what it was measured with, of what is there. */
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

/** Runs a tool that may not be there. */
function tool(name: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(name, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    )
  })
}

/** Whether a tool is on the path. */
export function hasTool(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
}

/** Puts a process on cores of its own. @returns whether that could be done */
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
 * Lets all else on its core go before this process, which only waits: that takes no privilege. With a low priority it
 * still keeps the core from one that wakes until its slice, a millisecond or three, is over.
 * @param atOnce it gives way there and then, and so gets nothing on a machine that is busy with something else
 */
export async function yieldTo(pid: number, atOnce: boolean): Promise<void> {
  if (atOnce && (await tool('chrt', ['-i', '-a', '-p', '0', String(pid)])) !== undefined) return
  setPriority(pid, 10)
}

/** Segments of the connections to a port, as the server's kernel has counted them. */
export interface Segments {
  readonly in: number
  readonly out: number
}

/** @param without the other ends' ports that are left out */
export async function segmentsOf(port: number, without: readonly number[]): Promise<Segments | undefined> {
  const text = await tool('ss', ['-tinH', `( sport = :${port} )`])
  if (text === undefined) return undefined
  const total = { in: 0, out: 0 }
  // Two lines for each connection: its addresses, then its figures, which begin with a space.
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

/** Of all CPU time up to now, in ticks: in all, and what the host took away. */
export function steal(file = '/proc/stat'): { total: number; stolen: number } {
  const ticks = (/^cpu +(.*)$/m.exec(read(file))?.[1] ?? '0').split(' ').map(Number)
  return { total: ticks.reduce((sum, tick) => sum + tick, 0), stolen: ticks[7] ?? 0 }
}

/** A thread that keeps a core busy. It is JavaScript as it stands: what loads TypeScript does not reach into threads. */
const SPINNER = `
const { workerData: milliseconds } = require('node:worker_threads')
const end = Date.now() + milliseconds
while (Date.now() < end);`

/**
 * The share of the machine that its host takes away just now: it shows only while something wants all of it.
 * @param milliseconds for which all cores are kept busy
 */
export async function stealNow(milliseconds = 1000): Promise<number> {
  const before = steal()
  await Promise.all(
    cpus().map(async () => {
      await once(new Worker(SPINNER, { eval: true, execArgv: [], workerData: milliseconds }), 'exit')
    }),
  )
  const after = steal()
  return (after.stolen - before.stolen) / Math.max(1, after.total - before.total)
}

/** For how long this process's first thread was ready to run and had no core, in microseconds. */
export function waited(file = '/proc/self/schedstat'): number {
  return Number(read(file).split(' ')[1] ?? 0) / 1e3
}

/** What a connection holds in the kernel's own memory, by the names of its caches. */
const CACHES =
  /^(TCP|TCPv6|sock_inode_cache|filp|dentry|eventpoll_epi|eventpoll_pwq|skbuff_\w+|kmalloc-\S+) +(\d+) +\d+ +(\d+)/gm

/**
 * Bytes of the kernel's caches of which a connection takes a part. What /proc/net/sockstat tells is what waits in
 * buffers, which is nothing while nothing is sent. Undefined where it is not told: to root alone, as a rule.
 */
export function slabBytes(file = '/proc/slabinfo'): number | undefined {
  let total = 0
  for (const [, , active, size] of read(file).matchAll(CACHES)) total += Number(active) * Number(size)
  return total > 0 ? total : undefined
}

/** Files that this process may have open at once; Infinity where that is not told. */
export function openFiles(file = '/proc/self/limits'): number {
  const most = /^Max open files +(\d+)/m.exec(read(file))?.[1]
  return most === undefined ? Number.POSITIVE_INFINITY : Number(most)
}

/** The process of this machine that listens where a URL points. Undefined: on another machine, or another user's. */
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
  // Several share the socket of a cluster: which of them does the work is not known.
  return found.length === 1 ? Number(found[0]) : undefined
}

/**
 * CPU that a process has taken, in microseconds, by what the kernel says of each of its threads: another reader than
 * the process itself. Undefined where that is not told.
 */
export function cpuOf(pid: number, root = '/proc'): number | undefined {
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
