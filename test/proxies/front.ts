import { Agent, type ClientRequest, type ClientRequestArgs } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { Agent as Connector, type Dispatcher, ProxyAgent } from 'undici'

/** How clients come to the app through a proxy. */
export interface Front {
  /** Where they ask: without a slash at the end. */
  readonly url: string
  /** For node:http and ws: a connection for each request. */
  readonly agent: Agent
  /** For the fetch of undici, and for its WebSocket. */
  readonly dispatcher: (kind: 'fetch' | 'socket') => Dispatcher
  /** `host:port` that a browser has to ask. */
  readonly proxy?: string
}

/** A proxy that stands before the app: its clients take it for the app. */
export function reverse(port: number): Front {
  return {
    url: `http://127.0.0.1:${port}`,
    agent: new Agent(),
    dispatcher: () => new Connector(),
  }
}

/** One that ends TLS, with a certificate that nobody has signed. */
export function overTls(port: number): Front {
  return {
    url: `https://127.0.0.1:${port}`,
    agent: new TlsAgent({ rejectUnauthorized: false }),
    dispatcher: () => new Connector({ connect: { rejectUnauthorized: false } }),
  }
}

/** One that stands before the clients, which know of it. */
export function forward(port: number, app: number): Front {
  return {
    url: `http://127.0.0.1:${app}`,
    agent: new ForwardAgent(port),
    dispatcher: (kind) => new ProxyAgent({ uri: `http://127.0.0.1:${port}`, proxyTunnel: kind === 'socket' }),
    proxy: `127.0.0.1:${port}`,
  }
}

/** As browsers do it: a tunnel for a WebSocket, the whole address in the request line for the rest. */
class ForwardAgent extends Agent {
  readonly #port: number

  constructor(port: number) {
    super()
    this.#port = port
  }

  // Of node:http; it is not in the types.
  addRequest(request: ClientRequest, options: { host: string; port: number }): void {
    const tunnel = request.hasHeader('upgrade')
    if (!tunnel) request.path = `http://${options.host}:${options.port}${request.path}`
    const { addRequest } = Agent.prototype as unknown as {
      addRequest(request: ClientRequest, options: object): void
    }
    addRequest.call(this, request, { ...options, tunnel })
  }

  override createConnection(
    options: ClientRequestArgs & { tunnel?: boolean },
    callback?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const { host, port, tunnel } = options
    const made = callback!
    const socket = connect(this.#port, '127.0.0.1')
    if (!tunnel) {
      made(null, socket)
      return
    }
    socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`)
    const failed = (error: Error) => made(error, socket)
    socket.once('error', failed)
    socket.once('data', (part) => {
      socket.off('error', failed)
      const [line] = part.toString('latin1').split('\r\n')
      if (/^HTTP\/1\.. 200/.test(line!)) made(null, socket)
      else socket.destroy(new Error(line))
    })
  }
}
