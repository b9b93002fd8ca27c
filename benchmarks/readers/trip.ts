import { connect, type Socket } from 'node:net'
import { now } from '../clock.ts'
import { Answers, isLast } from './answers.ts'
import type { Target } from './reader.ts'
import { clientFrame, Frames, handshake } from './ws.ts'

/** Round trips, in seconds: the middle one of several. */
export interface Trips {
  /** A frame to /echo and back. Undefined where the app has no /echo. */
  readonly echo: number | undefined
  /** A request for nothing new, and its answer. */
  readonly http: number
}

const TRIPS = 11
/**
 * Milliseconds between two echoes: both ends have fallen asleep then, as they have when a message comes, and what
 * disturbs one of them does not disturb the most.
 */
const PAUSE = 3

/** Measures round trips with nothing else under way. */
export async function measureTrips(target: Target): Promise<Trips> {
  return { http: await httpTrip(target), echo: await echoTrip(target) }
}

function middle(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1]!
}

/** @throws where the app does not answer /poll */
function httpTrip({ host, port, path }: Target): Promise<number> {
  const request = `GET ${path}/poll?channel=calibrate&cursor=now HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`
  return repeat(host, port, 0, (socket, trip) => {
    const answers = new Answers(({ head }) => trip(isLast(head)))
    return { send: () => socket.write(request), take: (part) => answers.take(part.toString('latin1')) }
  }) as Promise<number>
}

function echoTrip({ host, port, path }: Target): Promise<number | undefined> {
  const { headers } = handshake()
  return repeat(host, port, PAUSE, (socket, trip, fail) => {
    const frames = new Frames(() => trip(false))
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

/** The first trip over a connection sets it up, and does not count; where all are last ones, they are all there is. */
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
      let broken = new Error('The app closed a connection before it had answered')
      socket.on('error', (error) => {
        broken = error
      })
      // One that has been answered may be closed.
      socket.on('close', () => (fresh ? reject(broken) : open()))
    }
    open()
  })
}
