import { connect, createServer, type Server, type Socket } from 'node:net'
import { resetConnection } from '../reset-connection.ts'
import type { Random } from './random.ts'

/** What the proxy does to a direction of a connection next. */
type Trouble = 'cut' | 'reset' | 'stall' | 'dribble' | 'none'

export interface Troubles {
  connections: number
  cut: number
  reset: number
  stall: number
  dribble: number
  none: number
}

/** One way of a connection. What it has taken and not passed on yet stands in `#held`. */
class Way {
  readonly #from: Socket
  readonly #to: Socket
  readonly #random: Random
  readonly #end: (reset: boolean) => void
  readonly #count: (trouble: Trouble) => void
  #held: Buffer[] = []
  /** Bytes until the next trouble. */
  #left = 0
  #dribbling = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(
    from: Socket,
    to: Socket,
    random: Random,
    end: (reset: boolean) => void,
    count: (trouble: Trouble) => void,
  ) {
    this.#from = from
    this.#to = to
    this.#random = random
    this.#end = end
    this.#count = count
    this.#plan()
    from.on('data', (part) => {
      this.#held.push(part)
      this.#pass()
    })
    from.on('end', () => {
      this.#closed = true
      this.#pass()
    })
    to.on('drain', () => this.#pass())
  }

  #plan(): void {
    this.#left = this.#random.scale(200, 200_000)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#held = []
  }

  /** Passes on what may go: all up to the next trouble. */
  #pass(): void {
    while (this.#timer === undefined && this.#held.length && !this.#to.writableNeedDrain) {
      const part = this.#held[0]!
      const most = this.#dribbling > 0 ? this.#random.int(1, 9) : this.#left
      const some = part.subarray(0, most)
      if (some.length === part.length) this.#held.shift()
      else this.#held[0] = part.subarray(most)
      if (this.#to.destroyed) return
      this.#to.write(some)
      if (this.#dribbling > 0) {
        this.#dribbling -= some.length
        this.#wait(this.#random.int(1, 10))
        continue
      }
      this.#left -= some.length
      if (this.#left <= 0) this.#trouble()
    }
    // What is held back holds the sender back.
    if (this.#held.length > 16) this.#from.pause()
    else if (this.#from.isPaused()) this.#from.resume()
    if (this.#closed && !this.#held.length) this.#to.end()
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#pass()
    }, ms)
  }

  #trouble(): void {
    const trouble = this.#random.pick<Trouble>(['cut', 'reset', 'stall', 'stall', 'dribble', 'none', 'none'])
    this.#count(trouble)
    this.#plan()
    if (trouble === 'cut' || trouble === 'reset') this.#end(trouble === 'reset')
    else if (trouble === 'stall') this.#wait(this.#random.scale(20, 8000))
    else if (trouble === 'dribble') this.#dribbling = this.#random.scale(50, 1500)
  }
}

/**
 * A proxy on TCP that does what bad networks do, at places that lie in the middle of frames and lines as often as not:
 * it cuts, resets, stalls and dribbles, each connection by a random generator of its own.
 */
export class ChaosProxy {
  /** Where the server listens; a new one may come. */
  target = 0
  /** Whether connections are left alone, as in the end, when all must come through. */
  calm = false
  readonly troubles: Troubles = { connections: 0, cut: 0, reset: 0, stall: 0, dribble: 0, none: 0 }
  readonly #random: Random
  readonly #pairs = new Set<{ client: Socket; server: Socket }>()
  readonly #server: Server

  constructor(random: Random) {
    this.#random = random
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client))
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`
  }

  get open(): number {
    return this.#pairs.size
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const { client, server } of this.#pairs) {
      client.destroy()
      server.destroy()
    }
    await closed
  }

  /** Ends all connections, as a failing machine does. */
  reset(): void {
    for (const { client } of this.#pairs) resetConnection(client)
  }

  #join(client: Socket): void {
    const server = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true })
    const pair = { client, server }
    this.#pairs.add(pair)
    this.troubles.connections++
    client.setNoDelay()
    server.setNoDelay()
    const ways: Way[] = []
    const end = (reset: boolean) => {
      if (reset) resetConnection(client)
      else client.destroySoon()
      server.destroy()
    }
    const random = this.#random.fork()
    if (this.calm) {
      client.pipe(server)
      server.pipe(client)
    } else {
      const count = (trouble: Trouble) => {
        this.troubles[trouble]++
      }
      ways.push(
        new Way(client, server, random.fork(), end, count),
        new Way(server, client, random.fork(), end, count),
      )
    }
    client.on('error', () => {})
    server.on('error', () => resetConnection(client))
    client.on('close', () => {
      for (const way of ways) way.stop()
      server.destroy()
      this.#pairs.delete(pair)
    })
    server.on('close', () => {
      // What is held back of it is lost with it, as in a machine that fails.
      if (!client.writableEnded) client.destroySoon()
    })
  }
}
