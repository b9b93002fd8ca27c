import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { ROOT, UNCOVERED } from '../child.ts'
import type { Measured, Order, Publish, Published, Start } from './instance.ts'
import type { Ends } from './server.ts'

let made: Promise<string> | undefined

/** The program in one file: to load the sources takes a process longer than all that most tests do with it. */
function program(): Promise<string> {
  made ??= (async () => {
    const folder = join(ROOT, 'node_modules', '.cache', 'tidings-test')
    const file = join(folder, `instance-${process.pid}.mjs`)
    await build({
      entryPoints: [fileURLToPath(new URL('./instance.ts', import.meta.url))],
      outfile: file,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      sourcemap: 'inline',
    })
    process.on('exit', () => rmSync(file, { force: true }))
    return file
  })()
  return made
}

interface Answer {
  readonly ref: number
  readonly answer?: unknown
  readonly error?: { message: string; code?: string }
}

/** An instance of the app, in a process of its own. It ends with the test. */
export class Instance {
  url = ''
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve(answer: never): void; reject(error: Error): void }>()
  #ref = 0
  /** What it has written. */
  output = ''

  private constructor(t: Ends, file: string) {
    const child = fork(file, [], {
      execArgv: ['--expose-gc', '--enable-source-maps'],
      env: { ...process.env, ...UNCOVERED },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (part) => {
        this.output += part
      })
    }
    child.on('message', ({ ref, answer, error }: Answer) => {
      const { resolve, reject } = this.#waiting.get(ref)!
      this.#waiting.delete(ref)
      if (error === undefined) resolve(answer as never)
      else reject(Object.assign(new Error(error.message), { code: error.code }))
    })
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the instance ended: ${this.output}`))
      this.#waiting.clear()
    })
    t.teardown(() => this.kill())
  }

  /** @throws what its start has thrown */
  static async start(t: Ends, settings: Start): Promise<Instance> {
    const instance = new Instance(t, await program())
    const { url } = await instance.#call<{ url: string }>({ start: settings })
    instance.url = url
    return instance
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  #call<T>(order: Order): Promise<T> {
    return new Promise((resolve, reject) => {
      const ref = this.#ref++
      this.#waiting.set(ref, { resolve, reject })
      this.#child.send({ ref, order }, (error) => error && reject(error))
    })
  }

  /** Through `app.tidings`, all in one turn of its event loop. */
  publish(...messages: Publish[]): Promise<Published[]> {
    return this.#call({ publish: messages })
  }

  measure(): Promise<Measured> {
    return this.#call({ measure: true })
  }

  /** As an app ends at a deploy. */
  async close(): Promise<void> {
    await this.#call({ close: true })
    await this.kill()
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }
}
