import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Record } from './record.ts'
import type { News, Order } from './server.ts'

const SERVER = fileURLToPath(new URL('./server.ts', import.meta.url))

export type Measured = Extract<News, { heap: number }>

/** Runs the server, kills it and starts it again. */
export class Host {
  /** Told of what the program's publishes were answered. */
  published: (id: number, cursor: string) => void = () => {}
  kills = 0
  url = ''
  readonly #record: Record
  readonly #retention: number
  readonly #folder = mkdtempSync(join(tmpdir(), 'tidings-chaos-'))
  #child: ChildProcess | undefined
  #measured: ((measured: Measured) => void) | undefined
  #lives = 0

  constructor(record: Record, retention: number) {
    this.#record = record
    this.#retention = retention
  }

  get up(): boolean {
    return this.#child !== undefined
  }

  /** @throws where it does not come up */
  async start(): Promise<void> {
    const file = join(this.#folder, `${this.#lives++}`)
    closeSync(openSync(file, 'a'))
    const child = fork(SERVER, ['0', file, `${this.#retention}`], {
      execArgv: ['--expose-gc', '--import', 'tsx'],
      env: { ...process.env, _TAPJS_PROCESSINFO_COVERAGE_: '0' },
    })
    const [news] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`the server ended with ${code}`))),
    ])) as [{ url: string }]
    this.#record.begin(file)
    this.#record.read()
    this.url = news.url
    this.#child = child
    child.on('message', (news: News) => {
      if ('published' in news) this.published(news.published, news.cursor)
      else if ('heap' in news) this.#measured?.(news)
    })
    child.on('error', () => {})
    child.on('exit', (code) => {
      if (this.#child === child) throw new Error(`the server ended with ${code}`)
    })
  }

  tell(order: Order): void {
    if (this.#child?.connected) this.#child.send(order, () => {})
  }

  measure(): Promise<Measured> {
    return new Promise((resolve) => {
      this.#measured = resolve
      this.tell({ measure: true })
    })
  }

  async kill(): Promise<void> {
    const child = this.#child!
    this.#child = undefined
    this.kills++
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    this.#record.read()
  }

  async end(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child) {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
