import { connect, type Socket } from 'node:net'
import { type Adapter, adapterOf, requestText } from '../adapters/adapter.ts'
import { now } from '../clock.ts'
import { payloadOf } from '../payload.ts'
import { publishing } from '../publishing.ts'
import { Answers, isLast } from '../readers/answers.ts'
import type { Target } from '../readers/reader.ts'
import { Alarm } from './alarm.ts'
import { answer } from './child.ts'
import { usageMeter } from './usage.ts'

/** One message to publish: when, on the shared clock, and as what. */
interface Planned {
  readonly at: number
  readonly channel: number
  readonly index: number
}

export interface PublisherPlan {
  readonly target: Target
  /** A server that is none of ours, by its adapter. */
  readonly adapter?: string | undefined
  readonly channels: readonly string[]
  /** For each channel the planned times, in microseconds after the start. */
  readonly times: readonly Float64Array[]
  /** The start, on the shared clock. */
  readonly start: number
  readonly payload: number
  /** Whether each message has a key, so that it can be sent again: to an app that may close a connection. */
  readonly keyed: boolean
  /** For tests: milliseconds for which it is kept from its work before each message. */
  readonly starve: number
}

/** By channel and number; NaN where it has not come to that. */
export interface Published {
  readonly sent: readonly Float64Array[]
  readonly answered: readonly Float64Array[]
}

const usage = usageMeter()
const alarm = new Alarm()
/**
 * It is awake so long before a message, in microseconds, and turns its loop: waking takes some hundred, and more where
 * the host has to wake the machine. No more than a twentieth of the time between two.
 */
const EARLY = 1500
/** To sleep on. */
const BED = new Int32Array(new SharedArrayBuffer(4))
let line: Socket
let state: { -readonly [K in keyof Published]: Published[K] }
let over = Promise.resolve()

const api = {
  /** Connects, and publishes at the planned times. @returns its own port, once connected */
  async start(plan: PublisherPlan): Promise<number> {
    const { target, times } = plan
    const planned: Planned[] = times
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

  /** @returns what became of it, once each answer has come or two seconds have passed */
  async finish(): Promise<Published> {
    await over
    line.destroy()
    return state
  },
}

function publish(
  plan: PublisherPlan,
  planned: readonly Planned[],
  adapter: Adapter | undefined,
): Promise<void> {
  const { target, channels } = plan
  const authority = `${target.host}:${target.port}`
  const { sent, answered } = state
  return new Promise((resolve) => {
    const early = Math.min(EARLY, ((planned.at(-1)?.at ?? 0) - (planned[0]?.at ?? 0)) / planned.length / 20)
    let done = 0
    let next = 0
    let finished = false
    let deadline: NodeJS.Timeout | undefined
    const finish = () => {
      finished = true
      clearTimeout(deadline)
      resolve()
    }
    const textOf = ({ channel, index }: Planned) => {
      const body = payloadOf(index, plan.payload)
      const key = plan.keyed ? `Idempotency-Key: ${plan.start}-${channel}-${index}\r\n` : ''
      return requestText(
        adapter?.publish(body) ?? publishing(target, channels[channel]!, body),
        authority,
        key,
      )
    }

    const use = (socket: Socket) => {
      let fresh = true
      const answers = new Answers(({ status, head }) => {
        // What comes behind a last answer is asked for again.
        if (socket !== line) return
        fresh = false
        const { channel, index } = planned[done++]!
        if (status >= 200 && status < 300) answered[channel]![index] = now()
        if (done === planned.length) finish()
        else if (isLast(head)) reopen()
      })
      socket.on('data', (part) => {
        try {
          answers.take(part.toString('latin1'))
        } catch {
          // What can't be understood is no acceptance: that it is missing is told.
          finish()
        }
      })
      socket.on('error', () => {})
      socket.on('close', () => {
        if (socket !== line || finished || done === next) return
        // An app that closes a connection before any answer does so for ever.
        if (fresh) finish()
        else reopen()
      })
    }
    /** A server may close a connection that it has answered on: what has no answer goes out over a new one. */
    const reopen = () => {
      line.destroy()
      line = connect({ host: plan.target.host, port: plan.target.port, noDelay: true })
      use(line)
      for (const one of planned.slice(done, next)) line.write(textOf(one))
    }
    use(line)

    const turn = () => {
      while (next < planned.length && planned[next]!.at <= now()) {
        if (plan.starve > 0) Atomics.wait(BED, 0, 0, plan.starve)
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
      if (at - now() > early) alarm.set(at - early, turn)
      else setImmediate(turn)
    }
    turn()
  })
}

export type PublisherApi = typeof api
answer(api)
