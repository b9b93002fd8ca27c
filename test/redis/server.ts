import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { find, needs } from '../needs.ts'
import { freePort } from '../proxies/launch.ts'
import { Control, type Reply } from './resp.ts'

/** Between two looks at other processes: to look all the time would take their core. */
export function moment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10))
}

/** What ends with the test. */
export type Ends = Pick<Test, 'teardown'>

/** Names and values of redis.conf. */
export type Settings = Readonly<Record<string, string>>

/** Every write is on the disk before it is answered. */
export const ALWAYS: Settings = { appendonly: 'yes', appendfsync: 'always' }
export const NO_FILE: Settings = { appendonly: 'no' }

const BASE: Settings = {
  bind: '127.0.0.1',
  save: '',
  'repl-diskless-sync-delay': '0',
  'repl-ping-replica-period': '1',
}

/** Somebody else may have taken the port meanwhile. */
const TRIES = 5

/** Whether there is a redis-server; where there is none the test is skipped aloud, or fails in CI. */
export function needsRedis(t: Test): boolean {
  return needs(t, 'redis-server') !== undefined
}

/** A Redis of its own: a process, a port, a folder. It ends with the test. */
export class RedisServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'tidings-redis-'))
  readonly #settings: Settings
  readonly #sentinel: string | undefined
  #port = 0
  #child: ChildProcess | undefined
  #control: Control | undefined
  #output = ''
  readonly #kill = () => this.#child?.kill('SIGKILL')

  private constructor(settings: Settings, sentinel: string | undefined) {
    this.#settings = sentinel === undefined ? { ...BASE, ...settings } : { bind: '127.0.0.1', ...settings }
    this.#sentinel = sentinel
    // Not even a test that dies of a fault leaves it behind.
    process.on('exit', this.#kill)
  }

  static start(t: Ends, settings: Settings = ALWAYS): Promise<RedisServer> {
    return new RedisServer(settings, undefined).#begin(t)
  }

  /** @param config what it watches */
  static sentinel(t: Ends, config: string): Promise<RedisServer> {
    return new RedisServer({}, config).#begin(t)
  }

  async #begin(t: Ends): Promise<RedisServer> {
    t.teardown(() => this.#end())
    for (let i = 1; ; i++) {
      this.#port = await freePort()
      try {
        await this.up()
        return this
      } catch (error) {
        if (i === TRIES) throw error
      }
    }
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`
  }

  get pid(): number {
    return this.#child!.pid!
  }

  /** Starts it, where it was before and with what its folder holds. Resolves once it has loaded that. */
  async up(): Promise<void> {
    const given = { ...this.#settings, port: `${this.#port}`, dir: this.folder }
    const args = Object.entries(given).flatMap(([name, value]) => [`--${name}`, value])
    const file = join(this.folder, 'sentinel.conf')
    if (this.#sentinel !== undefined) writeFileSync(file, this.#sentinel)
    const kind = this.#sentinel === undefined ? [] : [file, '--sentinel']
    const child = spawn(find('redis-server')!, [...kind, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    this.#output = ''
    await new Promise<void>((resolve, reject) => {
      const hear = (part: Buffer) => {
        this.#output = `${this.#output}${part}`.slice(-10_000)
        if (/Ready to accept connections|Sentinel ID is/.test(this.#output)) resolve()
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.once('error', reject)
      child.once('exit', () => reject(new Error(`redis-server ended: ${this.#output}`)))
    })
  }

  /** Without a word to anybody. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  /** It answers nothing, and keeps its connections. */
  freeze(): void {
    this.#child!.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child!.kill('SIGCONT')
  }

  async call(...args: (string | number)[]): Promise<Reply> {
    if (this.#control === undefined || this.#control.over) this.#control = await Control.open(this.#port)
    return this.#control.call(...args)
  }

  /** A figure of INFO. */
  async info(name: string): Promise<string> {
    const text = String(await this.call('INFO', 'everything'))
    const found = new RegExp(`^${name}:(.*)\r$`, 'm').exec(text)
    if (found === null) throw new Error(`INFO says nothing of ${name}`)
    return found[1]!
  }

  /** Connections of everybody but this test, of replicas and of what replicates to them. */
  async connections(): Promise<number> {
    const own = await this.call('CLIENT', 'ID')
    const list = String(await this.call('CLIENT', 'LIST', 'TYPE', 'NORMAL')).trim()
    return list.split('\n').filter((line) => line !== '' && !line.startsWith(`id=${own} `)).length
  }

  /** What is on the disk now: `restore` brings it back. */
  copy(): () => void {
    const kept = mkdtempSync(join(tmpdir(), 'tidings-redis-'))
    cpSync(this.folder, kept, { recursive: true })
    return () => {
      this.wipe()
      cpSync(kept, this.folder, { recursive: true })
      rmSync(kept, { recursive: true, force: true })
    }
  }

  /** The disk is empty. */
  wipe(): void {
    for (const name of ['appendonlydir', 'dump.rdb']) {
      rmSync(join(this.folder, name), { recursive: true, force: true })
    }
  }

  /** Resolves once it has all that the other has. */
  async follows(master: RedisServer): Promise<void> {
    for (;;) {
      if ((await this.info('master_link_status')) === 'up') {
        const [has, all] = [await this.info('slave_repl_offset'), await master.info('master_repl_offset')]
        if (Number(has) >= Number(all)) return
      }
      await moment()
    }
  }

  async #end(): Promise<void> {
    this.#control?.close()
    await this.kill()
    process.off('exit', this.#kill)
    rmSync(this.folder, { recursive: true, force: true })
  }
}
