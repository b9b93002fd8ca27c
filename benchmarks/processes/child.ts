import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a process can be asked for. */
// biome-ignore lint/suspicious/noExplicitAny: each process names its own
export type Api = Record<string, (argument: any) => any>

interface Question {
  id: number
  name: string
  argument: unknown
}

interface Answer {
  id: number
  value?: unknown
  error?: string
}

/** Names of files beside this one, with the ending that this one has: `.ts` in the sources, `.js` when compiled. */
const SELF = fileURLToPath(import.meta.url)

/** Processes of a run. */
export type Name = 'server' | 'target' | 'load' | 'publisher' | 'proxy' | '../redis/instance'

/** A process of our own, which is asked and answers. It ends with this one. */
export class Child<A extends Api> {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  readonly #exited: Promise<unknown>
  #next = 0

  constructor(name: Name) {
    this.#process = fork(SELF.replace(/child(?=\.\w+$)/, name), [], {
      serialization: 'advanced',
      // So that it can throw away what is not held any more before its memory is looked at.
      execArgv: [
        ...process.execArgv,
        ...(name === 'server' || name === '../redis/instance' ? ['--expose-gc'] : []),
      ],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#exited = once(this.#process, 'exit').then(([code, signal]) => {
      const error = new Error(`The ${name} process ended early (${signal ?? code})`)
      for (const { reject } of this.#waiting.values()) reject(error)
      this.#waiting.clear()
    })
    this.#process.on('message', (message) => {
      const { id, value, error } = message as Answer
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
      this.#process.send({ id, name, argument } satisfies Question, (error) => {
        if (error === null) return
        this.#waiting.delete(id)
        reject(error)
      })
    })
  }

  /** Ends it, and waits for its end. Stopping twice is harmless. */
  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect()
    await this.#exited
  }
}

/** The other side: answers questions until the parent lets go. */
export function answer(api: Api): void {
  process.on('message', async (message) => {
    const { id, name, argument } = message as Question
    let reply: Answer
    try {
      reply = { id, value: await api[name]!(argument) }
    } catch (error) {
      reply = { id, error: (error as Error).message }
    }
    // The parent may have gone meanwhile, and needs no answer then.
    if (process.connected) process.send!(reply, undefined, undefined, () => {})
  })
  process.on('disconnect', () => process.exit())
  // The terminal sends Ctrl-C to all of a group: the parent has still to ask for figures, and lets go when it has.
  process.on('SIGINT', () => {})
}
