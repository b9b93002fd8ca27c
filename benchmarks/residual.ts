import { isDisturbed } from './gates.ts'
import { exchangeOf, pushOf, type Shape } from './model/exchange.ts'
import {
  LONG_POLL_LOAD,
  longPollBytes,
  longPollDelay,
  longPollLoad,
  longPollRequests,
} from './model/longpoll.ts'
import { type ExchangeBytes, pollBytes, pollDelay, pollRequests } from './model/poll.ts'
import { type Push, pushRequests, takenDelay } from './model/push.ts'
import { randomOf } from './model/random.ts'
import { simulateLongPoll } from './model/simulation.ts'
import { PUBLISH_ONLY, type Section, type Variant, type Workload } from './plan.ts'
import { headersOf } from './profiles.ts'
import type { Measured } from './record.ts'
import { errorOf, meanOf } from './statistics.ts'

/** What the model says of a round, beside what was measured. */

export interface Prediction {
  /** Milliseconds, from acceptance on. */
  readonly delay: number
  readonly requests: number
  /** Bytes a message, up and down. */
  readonly bytes: number
}

export type Model = (
  variant: Variant,
  workload: Workload,
  measured: Measured,
  publishing: Publishing,
) => Prediction | null

export interface Residual {
  readonly figure: keyof Prediction
  readonly variant: string
  readonly section: string
  readonly measured: number
  readonly model: number
  /** How far they may be apart. */
  readonly bound: number
  /** Null: too few rounds to know how far they scatter, or too few that the machine left alone. */
  readonly holds: boolean | null
}

/** As the server's own address stands in a request. */
const AUTHORITY = '127.0.0.1:40000'

/** What an exchange of the server under test weighs. */
export function exchangeBytes(
  kind: 'poll' | 'longpoll',
  workload: Workload,
): ExchangeBytes & { readonly request: number } {
  return exchangeOf(kind, shapeOf(workload, headersOf(workload.profile, kind, AUTHORITY).length))
}

/** A message on a stream: envelope, what stands around it, and its part of the signs of life. */
export function pushBytes(kind: 'sse' | 'ws', workload: Workload, rate: number): number {
  return pushOf(kind, shapeOf(workload, 0), rate)
}

function shapeOf({ payload, wait, channels, subscribers }: Workload, headers: number): Shape {
  const channel = 'bench-'.length + (channels === 'shared' ? 1 : String(subscribers - 1).length)
  return { payload, wait, channel, headers }
}

/** What a message takes of the server where nobody reads, in seconds. */
export interface Publishing {
  /** At work, what it does for itself included. */
  readonly active: number
  /** From taking it until it would be handed to readers: p. */
  readonly turn: number
}

/**
 * By the rounds at this rate that had no reader; where there were none, by those of streams, whose writing is taken
 * off; else zeros.
 */
export function publishingOf(
  sections: readonly Section[],
  rounds: readonly Measured[],
  { rate }: Workload,
): Publishing {
  const same = sections.filter(({ blocks }) => blocks[0]![0]!.workload.rate === rate).map(({ name }) => name)
  const own = rounds.filter(({ section, work }) => work !== null && same.includes(section))
  const of = (...names: string[]) => own.filter(({ variant }) => names.includes(variant))
  const alone = of(PUBLISH_ONLY).length > 0 ? of(PUBLISH_ONLY) : of('sse', 'ws')
  const sum = (figure: (round: Measured) => number) => alone.reduce((all, round) => all + figure(round), 0)
  const publishes = Math.max(
    1,
    sum((round) => round.publishes),
  )
  return {
    active: sum(({ work }) => work!.active - work!.handed) / publishes,
    turn: sum((round) => round.work!.turn * round.publishes) / publishes,
  }
}

/** The server's times, as the models take them. */
export interface Times {
  /** From taking a message until its first write begins. */
  readonly turn: number
  /** s */
  readonly write: number
  /** r: what the load takes to read from one of its streams. */
  readonly read: number
  /** s_r */
  readonly request: number
}

/**
 * s is read off the server's clock, and the load's reading off its own; s_r is what remains of a long poll's time at work when writing and publishing are
 * taken off. Neither is looked for in the latency.
 */
export function timesOf({ work, requests, deliveries, publishes }: Measured, publishing: Publishing): Times {
  const { handed, active, ahead, write, read } = work!
  const rest = active - handed - publishing.active * publishes
  return {
    turn: publishing.turn + ahead,
    write,
    read,
    request: Math.max(0, rest) / Math.max(1, requests! * deliveries),
  }
}

/**
 * λ, d, g and s come from the run: λ from the publishes, d and g from round trips before anything was published, s
 * from the server's clock. None of them is fitted from the latency under test.
 */
export const predict: Model = (variant, workload, measured, publishing) => {
  const { deliveries, cycle } = measured
  const trips = measured.trips!
  const { subscribers, wait, session, channels } = workload
  if (deliveries === 0 || variant.kind === undefined) return null
  const echo = trips.echo ?? trips.http
  const oneWay = echo / 2
  const rate = measured.publishes / (measured.seconds * (channels === 'shared' ? 1 : subscribers))
  const times = timesOf(measured, publishing)
  const readers = channels === 'shared' ? subscribers : 1

  if (variant.kind === 'poll') {
    if (cycle === null) return null
    // Two lengths that have the measured mean and variance.
    const spread = Math.sqrt(Math.max(0, cycle.square - cycle.mean ** 2))
    const polling = { rate, oneWay, cycles: [cycle.mean - spread, cycle.mean + spread] }
    return {
      delay: pollDelay(polling) * 1e3,
      requests: pollRequests(polling, 100),
      bytes: pollBytes(polling, exchangeBytes('poll', workload)),
    }
  }
  if (variant.kind === 'longpoll') {
    const { request, write } = times
    const polling = { rate, oneWay, gap: trips.http, wait, readers, request, write }
    const more = times.turn - awakeOf(rowOf(workload, rate, oneWay, times))
    const bytes = longPollBytes(polling, exchangeBytes('longpoll', workload))
    if (longPollLoad(polling) <= LONG_POLL_LOAD) {
      return {
        delay: (longPollDelay(polling) + more) * 1e3,
        requests: longPollRequests(polling),
        bytes,
      }
    }
    const found = simulateLongPoll({ ...polling, messages: 500, random: randomOf(1) })
    const { empty, full, message } = exchangeBytes('longpoll', workload)
    const exchange = found.emptyShare * empty + (1 - found.emptyShare) * full
    return {
      delay: (found.delay + more) * 1e3,
      requests: found.requests,
      bytes: found.requests * exchange + message,
    }
  }
  return {
    delay: (takenDelay(rowOf(workload, rate, oneWay, times)) + times.turn) * 1e3,
    requests: pushRequests(rate, session),
    bytes: pushBytes(variant.kind, workload, rate),
  }
}

/** A row of streams: one process reads for all, and of the way to it what the network does not take is its waking. */
export function rowOf(
  { channels, subscribers, rtt }: Workload,
  rate: number,
  oneWay: number,
  { write, read }: Pick<Times, 'write' | 'read'>,
): Push {
  const readers = channels === 'shared' ? subscribers : 1
  return { rate, oneWay, readers, write, shared: { wake: Math.max(0, oneWay - rtt / 2e3), read } }
}

/** What a row takes less than if each of its readers had to wake: the models of long polls know nothing of processes. */
export function awakeOf(row: Push): number {
  const { shared: _, ...apart } = row
  return takenDelay(apart) - takenDelay(row)
}

/** Fewer do not tell how far the figures scatter. */
const ENOUGH_ROUNDS = 3
/**
 * The part of the model by which they may differ, a delay's and that of all else, which agrees to a part in 300; the
 * milliseconds; and the standard errors.
 */
const BOUND = { delay: 0.1, part: 0.015, milliseconds: 0.3, errors: 3 }

/** The residuals of one variant over its rounds. */
export function residualsOf(
  variant: Variant,
  workload: Workload,
  rounds: readonly Measured[],
  model: Model,
  publishing: Publishing,
): Residual[] {
  const pairs = rounds.flatMap((measured) => {
    const prediction = model(variant, workload, measured, publishing)
    return prediction === null ? [] : [{ measured, prediction }]
  })
  const found: Record<keyof Prediction, (measured: Measured) => number | undefined> = {
    delay: ({ accepted }) => accepted?.mean,
    requests: ({ requests }) => requests ?? undefined,
    bytes: ({ bytes }) => bytes?.both,
  }
  return (Object.keys(found) as (keyof Prediction)[]).flatMap((figure) => {
    const both = pairs.flatMap(({ measured, prediction }) => {
      const value = found[figure](measured)
      const disturbed = isDisturbed(measured)
      return value === undefined ? [] : [{ value, model: prediction[figure], disturbed }]
    })
    if (both.length === 0) return []
    // A delay that the machine has spoilt tells nothing of the model, nor do the requests of one who asks again: messages
    // that come together share an answer. What a stream sends for a message no machine can spoil.
    const streams = variant.kind === 'sse' || variant.kind === 'ws'
    const quiet = both.filter(({ disturbed }) => (figure !== 'delay' && streams) || !disturbed)
    const shown = quiet.length < ENOUGH_ROUNDS ? both : quiet
    const predicted = meanOf(shown.map(({ model }) => model))
    const seen = meanOf(shown.map(({ value }) => value))
    const error = errorOf(shown.map(({ value, model }) => value - model))
    const [part, least] = figure === 'delay' ? [BOUND.delay, BOUND.milliseconds] : [BOUND.part, 0]
    const bound = Math.max(part * predicted, BOUND.errors * error, least)
    const holds = quiet.length < ENOUGH_ROUNDS ? null : Math.abs(seen - predicted) <= bound
    const { section } = rounds[0]!
    return [{ figure, variant: variant.name, section, measured: seen, model: predicted, bound, holds }]
  })
}
