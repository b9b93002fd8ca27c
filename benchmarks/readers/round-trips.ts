import { connect, type Socket } from 'node:net'
import { now } from '../clock.ts'
import type { Endpoint } from './reader.ts'
import { closesConnection, ResponseParser } from './response-parser.ts'
import { clientFrame, FrameParser, upgradeRequest } from './ws.ts'

/** Round-trip times in seconds: the median of several. */
export interface RoundTrips {
  /** A frame to /echo and back. Undefined if the app has no /echo. */
  readonly echo: number | undefined
  /** A request without new messages, and its response. */
  readonly http: number
}

const TRIPS = 11
/**
 * Milliseconds between two echoes. Both processes have gone to sleep by then, as they have when a message arrives. A
 * disturbance affects only some of the echoes.
 */
const PAUSE = 3

/** Measures round trips on an idle server. */
export async function measureRoundTrips(target: Endpoint): Promise<RoundTrips> {
  return { http: await httpTrip(target), echo: await echoTrip(target) }
}

function middle(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1]!
}

/** @throws if the app does not respond to /poll */
function httpTrip({ host, port, path }: Endpoint): Promise<number> {
  const request = `GET ${path}/poll?channel=calibrate&cursor=now HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`
  return repeat(host, port, 0, (socket, trip) => {
    const answers = new ResponseParser(({ head }) => trip(closesConnection(head)))
    return { send: () => socket.write(request), take: (part) => answers.take(part.toString('latin1')) }
  }) as Promise<number>
}

function echoTrip({ host, port, path }: Endpoint): Promise<number | undefined> {
  const { headers } = upgradeRequest()
  return repeat(host, port, PAUSE, (socket, trip, fail) => {
    const frames = new FrameParser(() => trip(false))
    const frame = clientFrame(2, Buffer.alloc(16))
    let upgraded = false
    return {
      send: () => {
        if (upgraded) socket.write(frame)
        else socket.write(`GET ${path}/echo HTTP/1.1\r\nHost: ${host}:${port}\r\n${headers}\r\n`)
      },
      take(part) {
        if (upgraded) frames.take(part)
        else if (part.toString('latin1', 0, 12) === 'HTTP/1.1 101') {
          upgraded = true
          trip(false)
        } else fail()
      },
    }
  })
}

interface Trip {
  send(): void
  take(part: Buffer): void
}

/**
 * Repeats a round trip. The first one on each connection does not count, unless every response closes its connection.
 */
function repeat(
  host: string,
  port: number,
  pause: number,
  trip: (socket: Socket, done: (last: boolean) => void, fail: () => void) => Trip,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const times: number[] = []
    const first: number[] = []
    const over = () => times.length === TRIPS || first.length === TRIPS
    const open = () => {
      let begun = 0
      let fresh = true
      const socket = connect({ host, port, noDelay: true })
      const end = (settle: () => void) => {
        socket.removeAllListeners('close').destroy()
        settle()
      }
      const again = () => {
        begun = now()
        way.send()
      }
      const way = trip(
        socket,
        (last) => {
          ;(fresh ? first : times).push((now() - begun) / 1e6)
          fresh = false
          if (over()) end(() => resolve(middle(times.length > 0 ? times : first)))
          else if (last) end(open)
          else if (pause === 0) again()
          else setTimeout(again, pause)
        },
        () => end(() => resolve(undefined)),
      )
      socket.on('connect', again)
      socket.on('data', (part) => {
        try {
          way.take(part)
        } catch (error) {
          end(() => reject(error))
        }
      })
      let broken = new Error('The app closed a connection without a response')
      socket.on('error', (error) => {
        broken = error
      })
      // The server may close the connection after a response.
      socket.on('close', () => (fresh ? reject(broken) : open()))
    }
    open()
  })
}
