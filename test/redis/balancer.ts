import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Ends } from './server.ts'

/** What stands before several instances: each connection goes to the next of them that takes it. */
export class Balancer {
  /** Ports. */
  targets: readonly number[]
  readonly #server: Server
  readonly #clients = new Set<Socket>()
  #next = 0

  private constructor(targets: readonly number[]) {
    this.targets = targets
    this.#server = createServer((client) => this.#join(client, this.targets.length))
  }

  static async start(t: Ends, targets: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(targets)
    await new Promise<void>((resolve) => balancer.#server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => {
      balancer.cut()
      balancer.#server.close()
    })
    return balancer
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`
  }

  /** All clients have to come again, and meet another instance. */
  cut(): void {
    for (const client of this.#clients) client.destroy()
  }

  #join(client: Socket, tries: number): void {
    const { targets } = this
    if (tries === 0 || targets.length === 0) {
      client.destroy()
      return
    }
    this.#clients.add(client)
    client.on('error', () => {})
    const server = connect(targets[this.#next++ % targets.length]!, '127.0.0.1')
    const again = () => {
      this.#clients.delete(client)
      this.#join(client, tries - 1)
    }
    server.once('error', again)
    server.once('connect', () => {
      server.off('error', again)
      if (client.destroyed) server.destroy()
      server.on('error', () => client.destroy())
      client.pipe(server)
      server.pipe(client)
      server.on('close', () => client.destroySoon())
      client.on('close', () => {
        this.#clients.delete(client)
        server.destroy()
      })
    })
  }
}
