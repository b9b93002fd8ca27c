import { SocketClient, StreamClient } from '../helper.ts'

export const seqOf = (cursor: string) => Number(cursor.slice(cursor.indexOf('.') + 1))

/**
 * What a client is to get next: the seq of a message; `REASON SEQ`, a gap; `end CHANNEL SEQ`, an end, and where to go on;
 * `over`, where the stream ends with its last channel.
 */
export type Told = number | string

export function same(what: string, got: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what}: got ${a}, expected ${b}`)
}

/** A stream or a socket: one thing after the other. */
export interface Stream {
  readonly socket?: SocketClient
  /** The place that it starts from. */
  ready(): Promise<string>
  next(): Promise<{ told: Told; cursor: string }>
  abort(): void
}

function tell(type: string | undefined, frame: { cursor: string; reason?: string; channel?: string }): Told {
  const seq = seqOf(frame.cursor)
  if (type === 'gap') return `${frame.reason} ${seq}`
  return type === 'end' ? `end ${frame.channel} ${seq}` : seq
}

export async function openStream(url: string, query: string): Promise<Stream> {
  const abort = new AbortController()
  const stream = new StreamClient(await fetch(`${url}/sse?${query}`, { signal: abort.signal }), abort)
  return {
    async ready() {
      return (await stream.next()).id!
    },
    async next() {
      const { event, id, data, retry } = await stream.next()
      if (retry !== undefined) {
        same('the last word', retry, '86400000')
        await stream.ended
        return { told: 'over', cursor: '' }
      }
      const parsed = JSON.parse(data!)
      same('the id of an event', id, parsed.cursor)
      return { told: tell(event, parsed), cursor: id! }
    },
    abort: () => stream.close(),
  }
}

export async function openSocket(url: string, query: string): Promise<Stream> {
  const socket = new SocketClient(`${url}/ws?${query}`)
  await socket.opened
  return {
    socket,
    ready: async () => (await socket.json()).cursor,
    async next() {
      const frame = await socket.json()
      return { told: tell(frame.type, frame), cursor: frame.cursor }
    },
    abort: () => socket.ws.terminate(),
  }
}
