import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { request as requestTls } from 'node:https'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import tidings, { type TidingsOptions } from '../../index.ts'
import { SocketClient } from '../helper.ts'
import { find } from '../needs.ts'
import { type Answer, type Asked, ask } from '../request.ts'
import type { Front } from './front.ts'
import type { Kind } from './kind.ts'
import { type Launch, type Place, Program } from './launch.ts'

const PAGE = '<!doctype html><title>A page of the app</title>'

/** What ends with the test. */
export type Ends = Pick<Test, 'teardown'>

/** An app that can be stopped and started on its port, a proxy before it, and clients that come through the proxy. */
export class Stage {
  app!: FastifyInstance
  proxy!: Program
  front!: Front
  readonly #trustProxy: string | false
  readonly #options: TidingsOptions
  #port = 0

  private constructor(trustProxy: string | false, options: TidingsOptions) {
    this.#trustProxy = trustProxy
    this.#options = options
  }

  /** Ends with the test. */
  static async set(
    t: Ends,
    kind: Kind,
    configure: (place: Place) => Launch,
    { trustProxy = kind.trustProxy, ...options }: TidingsOptions & { trustProxy?: string | false } = {},
  ): Promise<Stage> {
    const stage = new Stage(trustProxy, options)
    await stage.start()
    t.teardown(() => stage.stop())
    stage.proxy = await Program.run(find(kind.program)!, stage.#port, configure)
    t.teardown(() => stage.proxy.end())
    stage.front = kind.front(stage.proxy.place)
    return stage
  }

  /** A new app on the port of the one before, with an empty log. */
  async start(): Promise<void> {
    this.app = Fastify({ trustProxy: this.#trustProxy, forceCloseConnections: true }) as FastifyInstance
    await this.app.register(tidings, this.#options)
    this.app.get('/', (_request, reply) => reply.type('text/html').send(PAGE))
    this.app.get('/address', ({ ip }) => ip)
    await this.app.listen({ host: '127.0.0.1', port: this.#port })
    this.#port = (this.app.server.address() as { port: number }).port
  }

  async stop(): Promise<void> {
    await this.app.close()
  }

  /** Readers that wait in the app. */
  get readers(): number {
    return this.app.tidings.bus.log.groups.watching
  }

  ask(path: string, asked: Asked = {}): Promise<Answer> {
    return ask(`${this.front.url}${path}`, { agent: this.front.agent, ...asked })
  }

  publish(data: string, channel = 'default'): Promise<Answer> {
    return this.ask(`/publish?channel=${channel}`, { method: 'POST', body: data })
  }

  async socket(t: Ends, path: string, headers: Record<string, string> = {}): Promise<SocketClient> {
    const { url, agent } = this.front
    const client = new SocketClient(`${url}${path}`, [], { agent, headers, perMessageDeflate: false })
    t.teardown(() => client.ws.terminate())
    await client.opened
    return client
  }

  /** Resolves with the head of the response: where a proxy keeps the first part back, never. */
  stream(t: Ends, path: string, headers: Record<string, string> = {}): Promise<Stream> {
    const { url, agent } = this.front
    const send = url.startsWith('https:') ? requestTls : request
    return new Promise((resolve, reject) => {
      const sent = send(`${url}${path}`, { agent, headers }, (response) => resolve(new Stream(response)))
      t.teardown(() => sent.destroy())
      sent.on('error', reject)
      sent.end()
    })
  }
}

/** A response that is read as it comes. */
export class Stream {
  readonly response: IncomingMessage
  text = ''
  ended = false
  #look = () => {}

  constructor(response: IncomingMessage) {
    this.response = response
    response.setEncoding('utf8')
    response.on('data', (part) => {
      this.text += part
      this.#look()
    })
    response.on('error', () => {})
    response.on('close', () => {
      this.ended = true
      this.#look()
    })
  }

  /** Resolves once it holds this, or has ended. @returns all that has come */
  until(so: (text: string) => boolean): Promise<string> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (this.ended || so(this.text)) resolve(this.text)
      }
      this.#look()
    })
  }

  holds(part: string): Promise<string> {
    return this.until((text) => text.includes(part))
  }

  /** Leaves in the middle. */
  leave(): void {
    this.response.destroy()
  }
}
