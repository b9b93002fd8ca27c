import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)

export type Durability = 'no file' | 'always'

/** A Redis server of the benchmark. It exits with the benchmark. */
export class RedisServer {
  readonly port: number
  readonly #folder: string
  readonly #child: ChildProcess

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port
    this.#folder = folder
    this.#child = child
  }

  static async start(durability: Durability): Promise<RedisServer> {
    const port = await freePort()
    const folder = mkdtempSync(join(tmpdir(), 'tidings-bench-'))
    const file =
      durability === 'always' ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
    const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...file]
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    process.on('exit', () => child.kill('SIGKILL'))
    await new Promise<void>((resolve, reject) => {
      let said = ''
      child.stdout.on('data', (part) => {
        said += part
        if (said.includes('Ready to accept connections')) resolve()
      })
      child.once('error', reject)
      child.once('exit', () => reject(new Error(`redis-server exited: ${said}`)))
    })
    return new RedisServer(port, folder, child)
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#child.pid!
  }

  async cli(...args: string[]): Promise<string> {
    const { stdout } = await exec('redis-cli', ['-p', `${this.port}`, ...args], { maxBuffer: 2 ** 28 })
    return stdout
  }

  async info(name: string): Promise<number> {
    const text = await this.cli('INFO', 'everything')
    return Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1])
  }

  /** Returns the milliseconds of CPU so far. */
  async cpu(): Promise<number> {
    const text = await this.cli('INFO', 'cpu')
    const of = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)![1])
    return (of('used_cpu_sys') + of('used_cpu_user')) * 1000
  }

  /** Counts the calls of a command since the last `reset`; for scripts, under any command. */
  async calls(name: RegExp): Promise<number> {
    const text = await this.cli('INFO', 'commandstats')
    let calls = 0
    for (const [, command, count] of text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
      if (name.test(command!)) calls += Number(count)
    }
    return calls
  }

  async reset(): Promise<void> {
    await this.cli('CONFIG', 'RESETSTAT')
  }

  async empty(): Promise<void> {
    await this.cli('FLUSHALL')
  }

  end(): void {
    this.#child.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
