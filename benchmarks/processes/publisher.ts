import { connect, type Socket } from 'node:net'
import { now } from '../clock.ts'
import { payloadOf } from '../payload.ts'
import { Answers } from '../readers/answers.ts'
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
  readonly channels: readonly string[]
  /** For each channel the planned times, in microseconds after the start. */
  readonly times: readonly Float64Array[]
  /** The start, on the shared clock. */
  readonly start: number
  readonly payload: number
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
let socket: Socket
let state: { -readonly [K in keyof Published]: Published[K] }
let over = Promise.resolve()

const api = {
  /** Connects, and publishes at the planned times. @returns its own port, once connected */
  async start(plan: PublisherPlan): Promise<number> {
    const { target, channels, times } = plan
    const planned: Planned[] = times
      .flatMap((list, channel) =>
        Array.from(list, (time, index) => ({ at: plan.start + time, channel, index })),
      )
      .sort((a, b) => a.at - b.at)
    const empty = () => times.map((list) => new Float64Array(list.length).fill(Number.NaN))
    state = { sent: empty(), answered: empty() }
    const heads = channels.map(
      (channel) =>
        `POST ${target.path}/publish?channel=${channel} HTTP/1.1\r\nHost: ${target.host}:${target.port}\r\n` +
        `Content-Type: text/plain\r\nContent-Length: ${plan.payload}\r\n\r\n`,
    )
    socket = connect({ host: target.host, port: target.port, noDelay: true })
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    over = publish(plan, planned, heads)
    return socket.localPort!
  },

  usage,

  /** @returns what became of it, once each answer has come or two seconds have passed */
  async finish(): Promise<Published> {
    await over
    socket.destroy()
    return state
  },
}

function publish(plan: PublisherPlan, planned: readonly Planned[], heads: readonly string[]): Promise<void> {
  const { sent, answered } = state
  return new Promise((resolve) => {
    const early = Math.min(EARLY, ((planned.at(-1)?.at ?? 0) - (planned[0]?.at ?? 0)) / planned.length / 20)
    let done = 0
    let next = 0
    let deadline: NodeJS.Timeout | undefined
    const finish = () => {
      clearTimeout(deadline)
      resolve()
    }
    const answers = new Answers(({ status }) => {
      const { channel, index } = planned[done++]!
      if (status === 201) answered[channel]![index] = now()
      if (done === planned.length) finish()
    })
    socket.on('data', (part) => answers.take(part.toString('latin1')))
    socket.on('error', finish)
    socket.on('close', finish)

    const turn = () => {
      while (next < planned.length && planned[next]!.at <= now()) {
        if (plan.starve > 0) Atomics.wait(BED, 0, 0, plan.starve)
        const { channel, index } = planned[next++]!
        sent[channel]![index] = now()
        socket.write(heads[channel]! + payloadOf(index, plan.payload))
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
