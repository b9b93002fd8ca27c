import { isDisturbed } from './failures.ts'
import { exchangeOf, type MessageSizes, pushOf } from './model/exchange.ts'
import { longPollBytes, longPollDelay, longPollRequests } from './model/longpoll.ts'
import { type ExchangeBytes, pollBytes, pollDelay, pollRequests, RESPONSE_LIMIT } from './model/poll.ts'
import { poissonTimes, randomOf } from './model/random.ts'
import { delayFromAcceptance, pushRequests, type ServerPush } from './model/server-push.ts'
import { type Simulation, simulateLongPoll } from './model/simulation.ts'
import {
  PUBLISH_ONLY,
  type RoundPlan,
  type Section,
  scheduleOf,
  type Variant,
  type Workload,
  warmupOf,
} from './plan.ts'
import { headersOf } from './profiles.ts'
import type { RoundResult } from './round-result.ts'
import { meanOf, standardErrorOf } from './statistics.ts'

/** Compares the model's prediction with the measurement. */

export interface Prediction {
  /** Milliseconds from acceptance to delivery. */
  readonly delay: number
  readonly requests: number
  /** Bytes per message in both directions. */
  readonly bytes: number
}

export type Model = (
  variant: Variant,
  workload: Workload,
  measured: RoundResult,
  publishing: PublishCost,
  planned?: KnownSchedule,
) => Prediction | null

/** The times of a round's messages and its window, in seconds after the start of the round. */
export type KnownSchedule = Required<Pick<Simulation, 'times' | 'window'>>

/** Returns the planned times of a round with one channel. Undefined with several channels. */
export function knownScheduleOf(plan: RoundPlan): KnownSchedule | undefined {
  const [times, ...others] = scheduleOf(plan)
  const from = warmupOf(plan)
  const window = { from, to: from + plan.duration }
  return others.length > 0 ? undefined : { times: times!.map((time) => time / 1e6), window }
}

export interface Residual {
  readonly figure: keyof Prediction
  readonly variant: string
  readonly section: string
  readonly measured: number
  readonly model: number
  /** Maximum difference. */
  readonly bound: number
  /** Null: too few rounds to know the scatter, or too few undisturbed ones. */
  readonly holds: boolean | null
}

/** Has the length of the server's address in a request. */
const AUTHORITY = '127.0.0.1:40000'

/** Sizes of an exchange with the server under test. */
export function exchangeBytes(
  kind: 'poll' | 'longpoll',
  workload: Workload,
): ExchangeBytes & { readonly request: number } {
  return exchangeOf(kind, shapeOf(workload, headersOf(workload.profile, kind, AUTHORITY).length))
}

/** Bytes per message on a stream: envelope, framing and a share of the heartbeats. */
export function pushBytes(kind: 'sse' | 'ws', workload: Workload, rate: number): number {
  return pushOf(kind, shapeOf(workload, 0), rate)
}

function shapeOf({ payload, wait, channels, subscribers }: Workload, headers: number): MessageSizes {
  const channel = 'bench-'.length + (channels === 'shared' ? 1 : String(subscribers - 1).length)
  return { payload, wait, channel, headers }
}

/** Server time per message without readers, in seconds. */
export interface PublishCost {
  /** Busy time, including the server's own work. */
  readonly active: number
  /** p: the time from accepting the message to the start of the fan-out. */
  readonly turn: number
}

/**
 * Derived from the rounds without readers at this rate. Without such rounds, from those of streams minus their writes.
 * Otherwise zeros.
 */
export function publishCostOf(
  sections: readonly Section[],
  rounds: readonly RoundResult[],
  { rate }: Workload,
): PublishCost {
  const same = sections.filter(({ blocks }) => blocks[0]![0]!.workload.rate === rate).map(({ name }) => name)
  const own = rounds.filter(({ section, work }) => work !== null && same.includes(section))
  const of = (...names: string[]) => own.filter(({ variant }) => names.includes(variant))
  const alone = of(PUBLISH_ONLY).length > 0 ? of(PUBLISH_ONLY) : of('sse', 'ws')
  const sum = (figure: (round: RoundResult) => number) => alone.reduce((all, round) => all + figure(round), 0)
  const publishes = Math.max(
    1,
    sum((round) => round.publishes),
  )
  return {
    active: sum(({ work }) => work!.active - work!.handed) / publishes,
    turn: sum((round) => round.work!.turn * round.publishes) / publishes,
  }
}

/** Times of the server, as inputs of the models. */
export interface ServerTimes {
  /** From accepting a message to its first write. */
  readonly turn: number
  /** s: server time per write. */
  readonly write: number
  /** r: time of the load to read from one stream. */
  readonly read: number
  /** c: time of the load to read a response of a long poll and to send the next request. */
  readonly client: number
  /** s_r: server time per request. */
  readonly request: number
}

/**
 * The server measures s, and the load measures r. The rest of the busy time of long polling, without writing and
 * publishing, is s_r. The latency is not an input.
 */
export function serverTimesOf(
  { work, requests, deliveries, publishes }: RoundResult,
  publishing: PublishCost,
): ServerTimes {
  const { handed, active, ahead, write, read, look } = work!
  const rest = active - handed - publishing.active * publishes
  return {
    turn: publishing.turn + ahead,
    write,
    read,
    client: read + look,
    request: Math.max(0, rest) / Math.max(1, requests! * deliveries),
  }
}

/** Messages to simulate if their times are not known. */
const MESSAGES = 500

/**
 * All inputs come from the run. λ comes from the publishes, d and g from round trips before the first publish, and s
 * from the server's clock. Nothing is fitted to the measured latency.
 *
 * How many messages of a long poll share a response depends on the times of a round's few hundred messages. So readers
 * of one channel are simulated with these times: the formulas would add the scatter of the times to the residual.
 */
export const predict: Model = (variant, workload, measured, publishing, planned) => {
  const { deliveries, cycle } = measured
  const trips = measured.trips!
  const { subscribers, wait, session, channels } = workload
  if (deliveries === 0 || variant.kind === undefined) return null
  const echo = trips.echo ?? trips.http
  const oneWay = echo / 2
  const rate = measured.publishes / (measured.seconds * (channels === 'shared' ? 1 : subscribers))
  const times = serverTimesOf(measured, publishing)
  const readers = channels === 'shared' ? subscribers : 1

  if (variant.kind === 'poll') {
    if (cycle === null) return null
    // Two lengths with the measured mean and variance.
    const spread = Math.sqrt(Math.max(0, cycle.square - cycle.mean ** 2))
    const polling = { rate, oneWay, cycles: [cycle.mean - spread, cycle.mean + spread] }
    return {
      delay: pollDelay(polling) * 1e3,
      requests: pollRequests(polling, RESPONSE_LIMIT),
      bytes: pollBytes(polling, exchangeBytes('poll', workload)),
    }
  }
  if (variant.kind === 'longpoll') {
    const polling = {
      rate,
      oneWay,
      gap: trips.http,
      wait,
      ...longPollInputs(workload, oneWay, times, publishing),
    }
    const bytes = exchangeBytes('longpoll', workload)
    const { write, client } = times
    if (readers === 1) {
      return {
        delay: (longPollDelay(polling) + times.turn) * 1e3,
        requests: longPollRequests(polling),
        bytes: longPollBytes(polling, bytes),
      }
    }
    const { times: at, window } = planned ?? {
      times: poissonTimes(randomOf(1), rate, MESSAGES / rate).map((time) => time + trips.http),
    }
    const found = simulateLongPoll({ ...polling, times: at, ...(window && { window }) })
    const { empty, full, message } = bytes
    const exchange = found.emptyShare * empty + (1 - found.emptyShare) * full
    return {
      delay:
        (found.delay - sharedReaderSaving(pushInputs(workload, rate, oneWay, { write, read: client }))) * 1e3,
      requests: found.requests,
      bytes: found.requests * exchange + message,
    }
  }
  return {
    delay: (delayFromAcceptance(pushInputs(workload, rate, oneWay, times)) + times.turn) * 1e3,
    requests: pushRequests(rate, session),
    bytes: pushBytes(variant.kind, workload, rate),
  }
}

/** Returns the times of the server as inputs of the models of long polling. */
export function longPollInputs(
  { channels, subscribers, rtt }: Workload,
  oneWay: number,
  { turn, write, request, client }: Omit<ServerTimes, 'read'>,
  { active, turn: alone }: PublishCost,
): Required<Pick<Simulation, 'readers' | 'request' | 'write' | 'publish' | 'turn' | 'wake' | 'client'>> & {
  readonly join: number
} {
  const readers = channels === 'shared' ? subscribers : 1
  const wake = Math.max(0, oneWay - rtt / 2e3)
  // The server encodes the message before the first write.
  const publish = Math.max(turn, active + turn - alone)
  return { readers, request, write, publish, turn, wake, client, join: wake + publish }
}

/**
 * A row of streams that one process reads. The network takes part of the one-way delay; the rest is the process's
 * wake-up.
 */
export function pushInputs(
  { channels, subscribers, rtt }: Workload,
  rate: number,
  oneWay: number,
  { write, read }: Pick<ServerTimes, 'write' | 'read'>,
): ServerPush {
  const readers = channels === 'shared' ? subscribers : 1
  return { rate, oneWay, readers, write, shared: { wake: Math.max(0, oneWay - rtt / 2e3), read } }
}

/**
 * Time that a row saves because one process reads for all. The models of long polling assume separate processes.
 * Negative if the process reads more slowly than the server writes.
 */
export function sharedReaderSaving(row: ServerPush): number {
  const { shared: _, ...apart } = row
  return delayFromAcceptance(apart) - delayFromAcceptance(row)
}

/** Minimum rounds to estimate the scatter. */
const ENOUGH_ROUNDS = 3
/**
 * Maximum difference as a share of the prediction: for delays, and for all else, which agrees to one part in 300. Then
 * milliseconds for delays, and the number of standard errors.
 */
const BOUND = { delay: 0.1, part: 0.015, milliseconds: 0.3, errors: 3 }

/** Returns the residuals of one variant over its rounds. */
export function residualsOf(
  variant: Variant,
  workload: Workload,
  rounds: readonly RoundResult[],
  model: Model,
  publishing: PublishCost,
  plannedIn: (measured: RoundResult) => KnownSchedule | undefined = () => undefined,
): Residual[] {
  const pairs = rounds.flatMap((measured) => {
    const prediction = model(variant, workload, measured, publishing, plannedIn(measured))
    return prediction === null ? [] : [{ measured, prediction }]
  })
  const found: Record<keyof Prediction, (measured: RoundResult) => number | undefined> = {
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
    // Disturbed rounds say nothing about a delay. They also affect the requests: late messages share a response, or
    // arrive after the window. The bytes of a stream do not depend on the machine.
    const streams = variant.kind === 'sse' || variant.kind === 'ws'
    const quiet = both.filter(({ disturbed }) => (figure === 'bytes' && streams) || !disturbed)
    const shown = quiet.length < ENOUGH_ROUNDS ? both : quiet
    const predicted = meanOf(shown.map(({ model }) => model))
    const seen = meanOf(shown.map(({ value }) => value))
    const error = standardErrorOf(shown.map(({ value, model }) => value - model))
    const [part, least] = figure === 'delay' ? [BOUND.delay, BOUND.milliseconds] : [BOUND.part, 0]
    const bound = Math.max(part * predicted, BOUND.errors * error, least)
    const holds = quiet.length < ENOUGH_ROUNDS ? null : Math.abs(seen - predicted) <= bound
    const { section } = rounds[0]!
    return [{ figure, variant: variant.name, section, measured: seen, model: predicted, bound, holds }]
  })
}
