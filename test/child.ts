import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** How a process of Node that a test starts loads TypeScript, in any folder. */
export const LOADER = ['--import', new URL('loader.mjs', import.meta.url).href]

/**
 * The environment of a program that is not loaded as the tests are: whatever it loads would count as covered.
 */
export const UNCOVERED = { _TAPJS_PROCESSINFO_COVERAGE_: '0' }

/** A line of the app's log. */
export interface Line {
  level: number
  msg: string
  [member: string]: unknown
}

/** A program that was started, and what it has said. */
export class Child {
  readonly process: ChildProcess
  readonly #lines: string[] = []
  readonly #waiting = new Set<() => void>()
  stderr = ''
  /** How it ended. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>
  #over = false

  constructor(t: Test, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = ROOT) {
    this.process = spawn(command, args, {
      cwd,
      env: { ...process.env, HOST: '', PORT: '', LOG_LEVEL: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.ended = once(this.process, 'close').then(([code, signal]) => {
      this.#over = true
      this.#look()
      return { code, signal }
    })
    this.process.stderr!.setEncoding('utf8').on('data', (text) => {
      this.stderr += text
    })
    createInterface(this.process.stdout!).on('line', (line) => {
      this.#lines.push(line)
      this.#look()
    })
    t.teardown(async () => {
      if (!this.#over) this.process.kill('SIGTERM')
      await this.ended
    })
  }

  #look(): void {
    for (const look of this.#waiting) look()
  }

  get stdout(): string {
    return this.#lines.join('\n')
  }

  /** The first line of its log that matches, as it stands. Rejects where it ends without. */
  logged(line: RegExp): Promise<Line> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.#lines.find((each) => line.test(each))
        if (found !== undefined) resolve(JSON.parse(found))
        else if (this.#over) reject(new Error(`no line ${line}: ${this.stdout}${this.stderr}`))
        else return
        this.#waiting.delete(look)
      }
      this.#waiting.add(look)
      look()
    })
  }
}

/** A program as it stands in the source. */
function program(t: Test, path: string, args: readonly string[], env: NodeJS.ProcessEnv): Child {
  return new Child(t, process.execPath, [...LOADER, path, ...args], env)
}

/** The runnable app. */
export function cli(t: Test, args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  return program(t, 'demo/cli.ts', args, env)
}

/** The benchmark. */
export function benchCli(t: Test, args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  return program(t, 'benchmarks/cli.ts', args, env)
}

/** The app on a free port. @returns its URL without a slash at the end */
export async function startApp(
  t: Test,
  args: readonly string[] = [],
): Promise<{ child: Child; url: string }> {
  const child = cli(t, ['--port', '0', ...args])
  return { child, url: await urlFrom(child) }
}

/** Where the app says that it is to be looked at. */
export async function urlFrom(child: Child): Promise<string> {
  const { msg } = await child.logged(/"open /)
  return /http:\/\/[^ ]+(?=\/$)/.exec(msg)![0]
}
