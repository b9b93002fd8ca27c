import { connect, createServer, type Server, type Socket } from 'node:net'
import { Push, parseReply, type Reply, Units } from './resp.ts'
import type { Ends } from './server.ts'

/** What a connection is used for: the one that waits for messages, or the one that commands go over. */
export type Use = 'feed' | 'commands'

/** Commands that set a connection up: a proxy that goes over to another server says them again. */
const SET_UP = new Set(['HELLO', 'AUTH', 'SELECT', 'CLIENT', 'READONLY'])

interface Command {
  readonly name: string
  readonly bytes: Buffer
}

/** One way of a connection: what has come while it is stalled goes on later, also when who sent it has gone. */
class Way {
  stalled = false
  #held: Buffer[] = []
  #ended = false
  #to: Socket

  constructor(to: Socket) {
    this.#to = to
  }

  pass(bytes: Buffer): void {
    if (this.stalled) this.#held.push(bytes)
    else if (!this.#to.destroyed) this.#to.write(bytes)
  }

  end(): void {
    this.#ended = true
    if (!this.stalled) this.#to.end()
  }

  release(): void {
    this.stalled = false
    for (const bytes of this.#held.splice(0)) this.pass(bytes)
    if (this.#ended) this.#to.end()
  }

  /** What was held back is lost. */
  turn(to: Socket): void {
    this.#to = to
    this.#held = []
  }
}

/** One connection of a client, and the server behind it. */
class Pair {
  use: Use | undefined
  readonly client: Socket
  server: Socket
  readonly up: Way
  readonly down: Way
  readonly #heard: (name: string, pair: Pair) => void
  readonly #gone: (pair: Pair) => void
  readonly #commands = new Units(parseReply)
  #replies = new Units(parseReply)
  readonly #setUp: Command[] = []
  /** Sent, and not answered yet. */
  readonly #pending: Command[] = []
  /** A replica: what follows its PSYNC are no replies. */
  #raw = false
  /** Answers to what the proxy has said by itself. */
  #own = 0

  constructor(
    client: Socket,
    port: number,
    heard: (name: string, pair: Pair) => void,
    gone: (pair: Pair) => void,
  ) {
    this.client = client
    this.server = this.#connect(port)
    this.up = new Way(this.server)
    this.down = new Way(client)
    this.#heard = heard
    this.#gone = gone
    client.on('data', (part) => {
      if (this.#raw) {
        this.up.pass(part)
        return
      }
      for (const { unit, bytes } of this.#commands.take(part)) this.#command(unit as Reply, bytes)
    })
    client.on('error', () => {})
    client.on('close', () => {
      this.up.end()
      this.#over()
    })
    client.on('end', () => this.up.end())
  }

  #command(unit: Reply, bytes: Buffer): void {
    const [first, ...args] = unit as string[]
    const name = String(first).toUpperCase()
    const command = { name, bytes }
    if (SET_UP.has(name)) this.#setUp.push(command)
    else if (name === 'XREAD' && args.some((arg) => /^block$/i.test(arg))) this.use = 'feed'
    else if (/^(EVAL|FCALL)/.test(name)) this.use ??= 'commands'
    if (name === 'PSYNC') this.#raw = true
    this.#pending.push(command)
    this.#heard(name, this)
    this.up.pass(bytes)
  }

  #connect(port: number): Socket {
    const server = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    server.setNoDelay()
    server.on('data', (part) => {
      if (server !== this.server) return
      if (this.#raw) {
        this.down.pass(part)
        return
      }
      for (const { unit, bytes } of this.#replies.take(part)) {
        if (!(unit instanceof Push)) {
          if (this.#own > 0) {
            this.#own--
            continue
          }
          this.#pending.shift()
        }
        this.down.pass(bytes)
      }
    })
    server.on('error', () => {})
    server.on('close', () => {
      if (server !== this.server) return
      this.down.end()
      this.#over()
    })
    server.on('end', () => {
      if (server === this.server) this.down.end()
    })
    return server
  }

  #over(): void {
    if (this.client.destroyed && this.server.destroyed) this.#gone(this)
  }

  /** Another server stands behind it from now on. What waits for a message goes on there, other commands are lost. */
  swap(port: number): void {
    const before = this.server
    this.#replies = new Units(parseReply)
    this.server = this.#connect(port)
    before.destroy()
    this.up.turn(this.server)
    this.#own = this.#setUp.length
    for (const { bytes } of this.#setUp) this.server.write(bytes)
    const waiting = this.#pending.filter(({ name }) => name === 'XREAD')
    this.#pending.length = 0
    for (const command of waiting) {
      this.#pending.push(command)
      this.server.write(command.bytes)
    }
  }

  stall(): void {
    this.up.stalled = true
    this.down.stalled = true
  }

  release(): void {
    this.up.release()
    this.down.release()
  }

  cut(): void {
    this.client.destroy()
    this.server.destroy()
  }
}

/** A proxy on TCP between the instances and Redis, which does what networks and failovers do. */
export class Line {
  /** Where new connections lead to: a port. */
  target: number
  readonly #pairs = new Set<Pair>()
  readonly #server: Server
  /** Whether new connections are stalled, too. */
  #closed = false
  readonly #waiting = new Set<(name: string, use: Use | undefined) => void>()

  private constructor(target: number) {
    this.target = target
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client))
  }

  static async start(t: Ends, target: number): Promise<Line> {
    const line = new Line(target)
    await new Promise<void>((resolve) => line.#server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => {
      line.cut()
      line.#server.close()
    })
    return line
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get open(): number {
    return this.#pairs.size
  }

  #join(client: Socket): void {
    client.setNoDelay()
    const pair = new Pair(
      client,
      this.target,
      (name, { use }) => {
        for (const hear of this.#waiting) hear(name, use)
      },
      (gone) => this.#pairs.delete(gone),
    )
    this.#pairs.add(pair)
    if (this.#closed) pair.stall()
  }

  /** Resolves with the next command that passes, or is held, and is of this name. */
  command(name: RegExp): Promise<string> {
    return new Promise((resolve) => {
      const hear = (said: string) => {
        if (!name.test(said)) return
        this.#waiting.delete(hear)
        resolve(said)
      }
      this.#waiting.add(hear)
    })
  }

  /** Nothing passes any more on the connections of this use that are open: no byte, no end. */
  stall(use?: Use): void {
    for (const pair of this.#pairs) if (use === undefined || pair.use === use) pair.stall()
  }

  /** Nor on those that come. */
  close(): void {
    this.#closed = true
    this.stall()
  }

  /** All that was held back goes on, also what was said by those that have gone. */
  release(): void {
    this.#closed = false
    for (const pair of this.#pairs) pair.release()
  }

  /** The servers behind the open connections change, and the clients are told nothing. */
  swap(port: number): void {
    this.target = port
    for (const pair of this.#pairs) pair.swap(port)
  }

  /** Ends all connections. */
  cut(): void {
    for (const pair of this.#pairs) pair.cut()
  }
}
