import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** How a program is started. */
export interface Launch {
  readonly args: readonly string[]
  /** What it reads, by its name in the folder. */
  readonly files: Readonly<Record<string, string | Buffer>>
  readonly env?: NodeJS.ProcessEnv
  /** A command that has to end well before. */
  readonly before?: readonly string[]
}

/** Where a program runs, and what it leads to. */
export interface Place {
  /** Of its own, for its files. */
  readonly folder: string
  /** Where it listens, on 127.0.0.1. */
  readonly port: number
  /** The port of the app, on 127.0.0.1. */
  readonly app: number
}

/**
 * A port that nobody listens on, below those that the kernel gives away by itself: until the proxy has it, no
 * connection of another test can take it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(randomInt(10_000, 32_000), '127.0.0.1')
    const port = await new Promise<number | undefined>((resolve) => {
      server.once('listening', () => resolve((server.address() as { port: number }).port))
      server.once('error', () => resolve(undefined))
    })
    if (port === undefined) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** Whether anybody takes connections there. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/** Somebody else may have taken the port meanwhile. */
const TRIES = 5

/** A proxy that runs in the foreground as a child of this process, and keeps everything in a folder of its own. */
export class Program {
  readonly place: Place
  readonly #command: string
  readonly #launch: Launch
  #child: ChildProcess | undefined
  #output = ''
  readonly #kill = () => this.#child?.kill('SIGKILL')

  private constructor(command: string, place: Place, launch: Launch) {
    this.#command = command
    this.place = place
    this.#launch = launch
    // Not even a process that dies of a fault leaves it behind.
    process.on('exit', this.#kill)
  }

  /** @param app the port that it leads to */
  static async run(command: string, app: number, make: (place: Place) => Launch): Promise<Program> {
    const folder = mkdtempSync(join(tmpdir(), 'tidings-'))
    // As root, many go on as another user.
    chmodSync(folder, 0o777)
    for (let i = 1; ; i++) {
      const place = { folder, port: await freePort(), app }
      const program = new Program(command, place, make(place))
      try {
        await program.start()
        return program
      } catch (error) {
        await program.end()
        if (i === TRIES) throw error
      }
    }
  }

  /** Starts it where it was before. Resolves once it takes connections. */
  async start(): Promise<void> {
    const { folder, port } = this.place
    const { args, files, env, before } = this.#launch
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), content, { mode: 0o644 })
    }
    if (before) await once(this.#spawn(before[0]!, before.slice(1)), 'close')
    const child = this.#spawn(this.#command, args, env)
    this.#child = child
    while (!(await listens(port))) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`${this.#command} ended: ${this.#output}`)
      }
      await wait(20)
    }
  }

  #spawn(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): ChildProcess {
    const child = spawn(command, args, {
      cwd: this.place.folder,
      env: { ...process.env, HOME: this.place.folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (part) => {
        this.#output = `${this.#output}${part}`.slice(-10_000)
      })
    }
    child.on('error', (error) => {
      this.#output += error
    })
    return child
  }

  /** What it has said, for people. */
  get output(): string {
    return this.#output
  }

  /** Ends it without a word to its clients, and waits for its end. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }

  /** Stops it for good, and takes its folder away. */
  async end(): Promise<void> {
    await this.stop()
    process.off('exit', this.#kill)
    rmSync(this.place.folder, { recursive: true, force: true })
  }
}
