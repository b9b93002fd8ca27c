import { type Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Frame } from './helper.ts'

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  bytes: Buffer
  text: string
  /** Parsed when asked for. */
  readonly json: Frame
}

export interface Asked {
  method?: string
  headers?: OutgoingHttpHeaders
  body?: string | Uint8Array
  agent?: Agent
  signal?: AbortSignal
}

/** One request as node:http sends it: Host, Origin and the type of the body are the test's, and nothing is added. */
export function ask(
  url: string,
  { method = 'GET', headers = {}, body, agent, signal }: Asked = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? requestTls : request
    const sent = send(url, { method, headers, agent: agent ?? false, signal }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(parts)
        const text = bytes.toString()
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          bytes,
          text,
          get json() {
            return JSON.parse(text)
          },
        })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
