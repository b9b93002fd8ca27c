import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'

export type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void

export interface Foreign {
  url: string
  /** Requests and upgrades by now. */
  count: number
  asked: string[]
}

/** A server that is none of ours. @param socket what it does to a WebSocket; without it no upgrade is answered */
export async function foreign(
  t: Test,
  answer: Answer,
  socket?: (ws: WebSocket, count: number) => void,
): Promise<Foreign> {
  const server: Foreign = { url: '', count: 0, asked: [] }
  const http = createServer((request, response) => {
    server.asked.push(request.url!)
    answer(request, response, ++server.count)
  })
  if (socket) {
    const sockets = new WebSocketServer({ server: http })
    sockets.on('connection', (ws) => socket(ws, ++server.count))
    t.teardown(() => {
      for (const ws of sockets.clients) ws.terminate()
    })
  }
  t.teardown(() => {
    http.close()
    http.closeAllConnections()
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  server.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  return server
}

export const say =
  (status: number, headers: Record<string, string>, body = ''): Answer =>
  (_request, response) => {
    response.writeHead(status, headers)
    response.end(body)
  }
