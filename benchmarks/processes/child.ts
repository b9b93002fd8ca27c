import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** The functions that a process offers. */
// biome-ignore lint/suspicious/noExplicitAny: each process names its own
export type Api = Record<string, (argument: any) => any>

interface Call {
  id: number
  name: string
  argument: unknown
}

interface Reply {
  id: number
  value?: unknown
  error?: string
}

/** This file's path and extension: `.ts` in the sources, `.js` when compiled. */
const SELF = fileURLToPath(import.meta.url)

/** Names of the processes. */
export type ProcessName = 'server' | 'adapter-server' | 'load' | 'publisher' | 'proxy' | '../redis/instance'

/** A child process with a request/response API. It exits with its parent. */
export class Child<A extends Api> {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  readonly #exited: Promise<unknown>
  #next = 0

  constructor(name: ProcessName) {
    this.#process = fork(SELF.replace(/child(?=\.\w+$)/, name), [], {
      serialization: 'advanced',
      // Lets the process run the garbage collector before measuring memory.
      execArgv: [
        ...process.execArgv,
        ...(name === 'server' || name === '../redis/instance' ? ['--expose-gc'] : []),
      ],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#exited = once(this.#process, 'exit').then(([code, signal]) => {
      const error = new Error(`The ${name} process exited early (${signal ?? code})`)
      for (const { reject } of this.#waiting.values()) reject(error)
      this.#waiting.clear()
    })
    this.#process.on('message', (message) => {
      const { id, value, error } = message as Reply
      const waiting = this.#waiting.get(id)!
      this.#waiting.delete(id)
      if (error === undefined) waiting.resolve(value)
      else waiting.reject(new Error(error))
    })
  }

  get pid(): number {
    return this.#process.pid!
  }

  call<K extends keyof A & string>(
    name: K,
    argument: Parameters<A[K]>[0],
  ): Promise<Awaited<ReturnType<A[K]>>> {
    return new Promise((resolve, reject) => {
      const id = this.#next++
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#process.send({ id, name, argument } satisfies Call, (error) => {
        if (error === null) return
        this.#waiting.delete(id)
        reject(error)
      })
    })
  }

  /** Stops the process and waits for its exit. Safe to call twice. */
  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect()
    await this.#exited
  }
}

/** The child's side: responds to requests until the parent disconnects. */
export function serveApi(api: Api): void {
  process.on('message', async (message) => {
    const { id, name, argument } = message as Call
    let reply: Reply
    try {
      reply = { id, value: await api[name]!(argument) }
    } catch (error) {
      reply = { id, error: (error as Error).message }
    }
    // The parent may have exited meanwhile.
    if (process.connected) process.send!(reply, undefined, undefined, () => {})
  })
  process.on('disconnect', () => process.exit())
  // The terminal sends SIGINT to the whole process group. The parent still needs the figures, and disconnects
  // afterwards.
  process.on('SIGINT', () => {})
}
