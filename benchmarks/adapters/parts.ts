import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What several servers have in common. */

export async function listening(server: Server): Promise<{ port: number; stop(): void }> {
  // As long as the longest round: a connection that is closed meanwhile would be opened again.
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

/** Takes what is published by POST /publish; all else goes to the other one. */
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

/** Answers with a text. */
export function send(response: ServerResponse, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(200, {
    'content-type': 'text/plain',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}
