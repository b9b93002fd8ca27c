import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'
import { resetConnection } from './reset-connection.ts'

/** What is done to one request and its answer. */
export type Fault =
  /** The answer comes over a long line: each part so many milliseconds later. */
  | { kind: 'delay'; ms: number }
  /** The answer comes over a slow line: each part so many milliseconds after the one before. */
  | { kind: 'slow'; ms: number }
  /** Nothing of the answer is let go before it has ended. */
  | { kind: 'buffer' }
  /** So many bytes of the answer, then the end. */
  | { kind: 'truncate'; bytes: number }
  /** The head of the answer comes through, and nothing behind it; no end either. */
  | { kind: 'deaf' }
  /** The request is taken, and nothing ever comes back. */
  | { kind: 'swallow' }
  /** The proxy answers by itself. */
  | { kind: 'answer'; head: string; body?: string }

/** A request as the proxy sees it. */
export interface Seen {
  /** Path and query. */
  readonly url: string
  readonly path: string
  readonly upgrade: boolean
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

/**
 * A proxy on TCP that does what bad networks and bad proxies do. It looks into HTTP no further than at the heads of
 * requests; each is taken to come in one piece, as those of our clients do.
 */
export class FaultProxy {
  /** Decides for each request. */
  fault: (seen: Seen) => Fault | undefined = () => undefined
  readonly seen: Seen[] = []
  readonly #target: number
  readonly #pairs = new Set<Pair>()
  #server: Server
  #port = 0

  constructor(target: number) {
    this.#target = target
    this.#server = this.#make()
  }

  static async start(t: Test, target: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    await proxy.accept()
    t.teardown(() => {
      proxy.cut()
      proxy.#server.close()
    })
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** How many requests for this path have come. */
  count(path: string): number {
    return this.seen.filter((seen) => seen.path === path).length
  }

  /** Ends all connections properly. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.destroySoon()
      server.destroy()
    }
  }

  /** Ends all connections with a reset. */
  reset(): void {
    for (const { client, server } of this.#pairs) {
      resetConnection(client)
      server.destroy()
    }
  }

  /** From now on nothing passes on the connections that are open: no byte, no end. */
  freeze(): void {
    for (const { client, server } of this.#pairs) {
      client.pause()
      server.pause()
    }
  }

  /** Nobody listens any more. */
  async refuse(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.reset()
    await closed
  }

  /** Listens, on the same port as before. */
  async accept(): Promise<void> {
    this.#server = this.#make()
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as { port: number }).port
  }

  #make(): Server {
    return createServer((client) => this.#join(client))
  }

  #join(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1')
    const pair = { client, server }
    let fault: Fault | undefined
    let left = 0
    let held: Buffer[] = []
    let answered = false
    /** Parts go out in their order. */
    let line = Promise.resolve()
    this.#pairs.add(pair)

    client.on('data', (part) => {
      const head = /^(?:GET|POST) (([^ ?]*)\S*) /.exec(part.toString('latin1'))
      if (head) {
        const seen = {
          url: head[1]!,
          path: head[2]!,
          upgrade: /\nupgrade: websocket/i.test(part.toString('latin1')),
        }
        this.seen.push(seen)
        fault = this.fault(seen)
        if (fault?.kind === 'truncate') left = fault.bytes
        answered = false
        if (fault?.kind === 'answer') {
          const { head, body = '' } = fault
          client.write(`HTTP/1.1 ${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
        }
      }
      if (fault?.kind !== 'answer' && fault?.kind !== 'swallow') server.write(part)
    })
    server.on('data', (part) => {
      switch (fault?.kind) {
        case undefined:
          client.write(part)
          break
        case 'delay': {
          const { ms } = fault
          const passed = new Promise((resolve) => setTimeout(resolve, ms))
          line = line.then(() => passed).then(() => void client.write(part))
          break
        }
        case 'slow': {
          const { ms } = fault
          line = line
            .then(() => !client.destroyed && new Promise((resolve) => setTimeout(resolve, ms)))
            .then(() => void client.write(part))
          break
        }
        case 'buffer':
          held.push(part)
          break
        case 'deaf': {
          const end = part.indexOf('\r\n\r\n') + 4
          if (!answered && end > 3) client.write(part.subarray(0, end))
          answered = true
          break
        }
        case 'truncate':
          client.write(part.subarray(0, left))
          left -= part.length
          if (left <= 0) {
            client.destroySoon()
            server.destroy()
          }
      }
    })
    server.on('close', () => {
      for (const part of held) client.write(part)
      held = []
      client.destroySoon()
    })
    client.on('close', () => {
      server.destroy()
      this.#pairs.delete(pair)
    })
    client.on('error', () => {})
    server.on('error', () => {})
  }
}
