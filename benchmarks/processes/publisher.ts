import { connect, type Socket } from 'node:net'
import { type Adapter, adapterOf, requestText } from '../adapters/adapter.ts'
import { now } from '../clock.ts'
import { payloadOf } from '../payload.ts'
import { publishRequest } from '../publish-request.ts'
import type { Endpoint } from '../readers/reader.ts'
import { closesConnection, ResponseParser } from '../readers/response-parser.ts'
import { serveApi } from './child.ts'
import { PreciseTimer } from './precise-timer.ts'
import { usage } from './usage.ts'

/** A message to publish at a time on the shared clock. */
interface PlannedMessage {
  readonly at: number
  readonly channel: number
  readonly index: number
}

export interface PublisherPlan {
  readonly target: Endpoint
  /** The adapter of a server that is not part of this package. */
  readonly adapter?: string | undefined
  readonly channels: readonly string[]
  /** Planned times per channel, in microseconds after the start. */
  readonly times: readonly Float64Array[]
  /** Start time on the shared clock. */
  readonly start: number
  readonly payload: number
  /** Whether messages carry an idempotency key, so that they can be repeated after an app closes the connection. */
  readonly keyed: boolean
  /** Whether to spin from EARLY on, or only from SOON on. */
  readonly spin: boolean
  /** Fault injection for tests: milliseconds to block before each message. */
  readonly blockMs: number
}

/** Times by channel and number; NaN if it has not happened. */
export interface PublishTimes {
  readonly sent: readonly Float64Array[]
  readonly answered: readonly Float64Array[]
}

const alarm = new PreciseTimer()
/**
 * Microseconds before a message at which the process wakes up and spins its event loop. Waking takes some hundred
 * microseconds, more on a sleeping virtual machine. At most a twentieth of the mean interval.
 */
const EARLY = 1500
/**
 * The same for a message that follows another within EARLY, or beside a proxy. Others on this core have to run meanwhile:
 * the subscribers read the first message, and the proxy keeps time.
 */
const SOON = 200
/** Never changes: Atomics.wait on it blocks the thread. */
const BED = new Int32Array(new SharedArrayBuffer(4))
let line: Socket
let state: { -readonly [K in keyof PublishTimes]: PublishTimes[K] }
let over = Promise.resolve()

const api = {
  /** Connects, then publishes at the planned times. @returns the local port, once connected */
  async start(plan: PublisherPlan): Promise<number> {
    const { target, times } = plan
    const planned: PlannedMessage[] = times
      .flatMap((list, channel) =>
        Array.from(list, (time, index) => ({ at: plan.start + time, channel, index })),
      )
      .sort((a, b) => a.at - b.at)
    const empty = () => times.map((list) => new Float64Array(list.length).fill(Number.NaN))
    state = { sent: empty(), answered: empty() }
    const adapter = plan.adapter === undefined ? undefined : await adapterOf(plan.adapter)
    line = connect({ host: target.host, port: target.port, noDelay: true })
    await new Promise((resolve, reject) => line.once('connect', resolve).once('error', reject))
    over = publish(plan, planned, adapter)
    return line.localPort!
  },

  usage,

  /** @returns the times, once all responses have arrived or two seconds have passed */
  async finish(): Promise<PublishTimes> {
    await over
    line.destroy()
    return state
  },
}

function publish(
  plan: PublisherPlan,
  planned: readonly PlannedMessage[],
  adapter: Adapter | undefined,
): Promise<void> {
  const { target, channels } = plan
  const authority = `${target.host}:${target.port}`
  const { sent, answered } = state
  return new Promise((resolve) => {
    const early = Math.min(
      plan.spin ? EARLY : SOON,
      ((planned.at(-1)?.at ?? 0) - (planned[0]?.at ?? 0)) / planned.length / 20,
    )
    let done = 0
    let next = 0
    let finished = false
    let deadline: NodeJS.Timeout | undefined
    const finish = () => {
      finished = true
      clearTimeout(deadline)
      resolve()
    }
    const textOf = ({ channel, index }: PlannedMessage) => {
      const body = payloadOf(index, plan.payload)
      const key = plan.keyed ? `Idempotency-Key: ${plan.start}-${channel}-${index}\r\n` : ''
      return requestText(
        adapter?.publish(body) ?? publishRequest(target, channels[channel]!, body),
        authority,
        key,
      )
    }

    const use = (socket: Socket) => {
      let fresh = true
      const answers = new ResponseParser(({ status, head }) => {
        // Ignore data after the last response of a connection; the publishes are repeated.
        if (socket !== line) return
        fresh = false
        const { channel, index } = planned[done++]!
        if (status >= 200 && status < 300) answered[channel]![index] = now()
        if (done === planned.length) finish()
        else if (closesConnection(head)) reopen()
      })
      socket.on('data', (part) => {
        try {
          answers.take(part.toString('latin1'))
        } catch {
          // An unreadable response counts as not accepted.
          finish()
        }
      })
      socket.on('error', () => {})
      socket.on('close', () => {
        if (socket !== line || finished || done === next) return
        // An app that closes the connection before any response would do so again.
        if (fresh) finish()
        else reopen()
      })
    }
    /** A server may close a connection after a response. Repeats publishes without a response on a new one. */
    const reopen = () => {
      line.destroy()
      line = connect({ host: plan.target.host, port: plan.target.port, noDelay: true })
      use(line)
      for (const one of planned.slice(done, next)) line.write(textOf(one))
    }
    use(line)

    const turn = (spin = false) => {
      const before = next
      while (next < planned.length && planned[next]!.at <= now()) {
        if (plan.blockMs > 0) Atomics.wait(BED, 0, 0, plan.blockMs)
        const one = planned[next++]!
        sent[one.channel]![one.index] = now()
        if (line.writable) line.write(textOf(one))
        else reopen()
      }
      if (next === planned.length) {
        deadline = setTimeout(finish, planned.length === done ? 0 : 2000)
        return
      }
      const { at } = planned[next]!
      const left = at - now()
      if (left > early) alarm.set(at - early, () => turn(true))
      else if (left <= SOON || (spin && next === before)) setImmediate(turn, true)
      else alarm.set(at - SOON, () => turn(true))
    }
    turn()
  })
}

export type PublisherApi = typeof api
serveApi(api)
