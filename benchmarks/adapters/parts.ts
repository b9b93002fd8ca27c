import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Helpers that several adapters share. */

export async function listening(server: Server): Promise<{ port: number; stop(): void }> {
  // Longer than the longest round: the readers would reopen a connection that times out between two requests.
  server.keepAliveTimeout = 72_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Handles POST /publish and passes every other request on. */
export function publishRoute(
  published: (text: string) => void,
  other: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => {
    response.writeHead(404).end()
  },
): RequestListener {
  return (request, response) => {
    if (request.url !== '/publish') {
      other(request, response)
      return
    }
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (part: string) => {
      text += part
    })
    request.on('end', () => {
      published(text)
      response.writeHead(204).end()
    })
  }
}

export function send(response: ServerResponse, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(200, {
    'content-type': 'text/plain',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}
