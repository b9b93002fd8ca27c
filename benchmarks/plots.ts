import { coefficientsOf } from './advice.ts'
import { QUANTILES } from './latency.ts'
import { cpuFor } from './model/costs.ts'
import { longPollBytes, longPollQuantile } from './model/longpoll.ts'
import { pollBytes, pollQuantile } from './model/poll.ts'
import { poissonTimes, randomOf } from './model/random.ts'
import { batchedQuantile } from './model/server-push.ts'
import { simulateLongPoll } from './model/simulation.ts'
import { isOwnServer, type Variant, type Workload } from './plan.ts'
import {
  exchangeBytes,
  longPollInputs,
  type PublishCost,
  publishCostOf,
  pushBytes,
  pushInputs,
  serverTimesOf,
  sharedReaderSaving,
} from './residual.ts'
import type { RoundResult } from './round-result.ts'
import type { Outcome } from './run.ts'
import { type Estimate, meanOf, medianEstimate } from './statistics.ts'
import { type Summary, summariesOf } from './summary.ts'

/** Computes the plots of the page. */

export interface Series {
  readonly label: string
  readonly color: string
  readonly x: readonly number[]
  readonly y: readonly number[]
  readonly line: boolean
  readonly dash: boolean
  readonly hollow: boolean
  /** The interval of each point, if any. */
  readonly bars?: readonly (readonly [low: number, high: number] | null)[]
}

export interface Plot {
  readonly id: string
  readonly title: string
  readonly note: string
  readonly x: { readonly label: string }
  readonly y: { readonly label: string }
  readonly series: readonly Series[]
}

/** Colors of Okabe and Ito, which remain distinguishable with color vision deficiencies, in light and dark mode. */
const COLORS = ['#e69f00', '#d55e00', '#cc79a7', '#009e73', '#0072b2', '#56b4e9']

export function colorOf(variants: readonly Variant[], name: string): string {
  const index = variants.findIndex((variant) => variant.name === name)
  const kind = variants[index]?.kind
  if (kind === 'longpoll') return COLORS[3]!
  if (kind === 'sse') return COLORS[4]!
  if (kind === 'ws') return COLORS[5]!
  return COLORS[index % 3]!
}

export function plotsOf(outcome: Outcome): Plot[] {
  return [latencyPlot(outcome), ...ratePlots(outcome)].filter(({ series }) => series.length > 0)
}

function roundsOf({ rounds }: Outcome, section: string, variant: string): RoundResult[] {
  return rounds.filter((round) => round.section === section && round.variant === variant)
}

function latencyPlot(outcome: Outcome): Plot {
  const { settings } = outcome
  const { variants, workload } = settings
  const series = variants.flatMap((variant) => {
    const rounds = roundsOf(outcome, 'headline', variant.name).filter(({ latency }) => latency !== null)
    if (rounds.length === 0) return []
    const x = QUANTILES.map((p) => 1 / (1 - p))
    const own = { color: colorOf(variants, variant.name), line: true, hollow: true }
    const count = Math.min(...rounds.map(({ latency }) => latency!.curve.length))
    const y = Array.from(
      { length: count },
      (_, i) => medianEstimate(rounds.map(({ latency }) => latency!.curve[i]!)).value,
    )
    const publishing = publishCostOf(outcome.sections, outcome.rounds, workload)
    const model = isOwnServer(settings) ? quantileOf(variant, workload, rounds, publishing) : undefined
    return [
      { ...own, label: variant.name, dash: false, x: x.slice(0, count), y },
      ...(model === undefined
        ? []
        : [{ ...own, label: `${variant.name}, model`, dash: true, x, y: QUANTILES.map(model) }]),
    ]
  })
  return {
    id: 'latency',
    title: 'Latency, from the planned time to delivery',
    note: 'Percentiles of the median round: 2 is the median, 10 the 90th, 100 the 99th percentile. Dashed: the model, excluding the publisher’s request.',
    x: { label: '1 / (1 − p)' },
    y: { label: 'ms' },
    series,
  }
}

/** Messages to simulate. */
const MESSAGES = 2000

/** Returns the model's quantile in milliseconds. */
function quantileOf(
  variant: Variant,
  workload: Workload,
  rounds: readonly RoundResult[],
  publishing: PublishCost,
): (p: number) => number {
  const mean = (figure: (round: RoundResult) => number) => meanOf(rounds.map(figure))
  const oneWay = mean(({ trips }) => (trips!.echo ?? trips!.http) / 2)
  const { rate, wait } = workload
  const times = rounds.map((round) => serverTimesOf(round, publishing))
  const [turn, write, read, request, client] = (['turn', 'write', 'read', 'request', 'client'] as const).map(
    (name) => meanOf(times.map((one) => one[name])),
  ) as [number, number, number, number, number]
  if (variant.kind === 'poll')
    return (p) => pollQuantile({ rate, oneWay, cycles: [variant.interval] }, p) * 1e3
  if (variant.kind === 'longpoll') {
    const gap = mean(({ trips }) => trips!.http)
    const holding = longPollInputs(workload, oneWay, { turn, write, request, client }, publishing)
    const polling = { rate, oneWay, gap, wait, ...holding }
    if (holding.readers === 1) return (p) => (turn + longPollQuantile(polling, p)) * 1e3
    const at = poissonTimes(randomOf(1), rate, MESSAGES / rate).map((time) => time + gap)
    const found = simulateLongPoll({ ...polling, times: at })
    const saved = sharedReaderSaving(pushInputs(workload, rate, oneWay, { write, read: client }))
    return (p) => (found.quantile(p) - saved) * 1e3
  }
  return (p) => (turn + batchedQuantile(pushInputs(workload, rate, oneWay, { write, read }), p)) * 1e3
}

/** Rates of the model's lines. */
const RATES = Array.from({ length: 17 }, (_, i) => 10 ** (-2 + i / 4))

function ratePlots(outcome: Outcome): Plot[] {
  const { variants, workload } = outcome.settings
  const all = summariesOf(outcome)
  const summaries = all.filter(({ section }) => /^(headline|rate )/.test(section))
  const coefficients = coefficientsOf(outcome)
  const points = (variant: Variant, figure: (summary: Summary) => Estimate | null): Series[] => {
    const own = summaries
      .filter((summary) => summary.variant === variant.name)
      .flatMap((summary) => {
        const estimate = figure(summary)
        return estimate === null ? [] : [{ rate: summary.rate, ...estimate }]
      })
      // A logarithmic axis has no zero.
      .filter(({ value }) => value > 0)
      .sort((a, b) => a.rate - b.rate)
    if (own.length === 0) return []
    return [
      {
        label: variant.name,
        color: colorOf(variants, variant.name),
        line: false,
        dash: false,
        hollow: false,
        x: own.map(({ rate }) => rate),
        y: own.map(({ value }) => value),
        bars: own.map(({ low, high }) => (low === null || high === null ? null : [low, high])),
      },
    ]
  }
  const line = (
    variant: Variant,
    label: string,
    of: (rate: number) => number,
    rates: readonly number[] = RATES,
  ): Series => ({
    label: `${variant.name}, ${label}`,
    color: colorOf(variants, variant.name),
    line: true,
    dash: true,
    hollow: true,
    x: rates,
    y: rates.map(of),
  })
  const warm = (variant: Variant): Series[] => {
    const { kind, interval } = variant
    const { subscribers, rtt } = workload
    const cpu = (rate: number) =>
      kind && cpuFor({ way: kind, interval }, { rate, subscribers, rtt: rtt / 1e3 }, coefficients)?.value
    return cpu(1) === undefined ? [] : [{ ...line(variant, 'warmed up', (rate) => cpu(rate)!), line: false }]
  }
  const x = { label: 'messages/s per subscriber' }
  return [
    {
      id: 'bytes-rate',
      title: 'Bytes per second and subscriber',
      note: 'Points: measurements, with 95 % confidence intervals if there are several rounds. Lines: the model. When many messages share a response, polling needs fewer bytes than one push per message.',
      x,
      y: { label: 'bytes/s' },
      series: variants.flatMap((variant) => [
        ...points(variant, ({ bytes, rate }) => bytes && times(bytes.both!, rate)),
        line(variant, 'model', (rate) => rate * bytesAt(variant, { ...workload, rate })),
      ]),
    },
    {
      id: 'cpu-rate',
      title: 'Server CPU per second and subscriber',
      note: 'CPU beyond that of a server without subscribers. Points: measurements, with 95 % confidence intervals if there are several rounds. Hollow points: the cost on a warmed-up, busy server. A server that wakes up for each message pays more.',
      x,
      y: { label: 'µs/s' },
      series: variants.flatMap((variant) => [...points(variant, ({ cpu }) => cpu.own), ...warm(variant)]),
    },
  ]
}

function times({ value, low, high }: Estimate, factor: number): Estimate {
  return { value: value * factor, low: low && low * factor, high: high && high * factor }
}

/** Returns the model's bytes per message, without a measurement. */
export function bytesAt(variant: Variant, workload: Workload): number {
  const { rate, wait } = workload
  if (variant.kind === 'poll') {
    return pollBytes({ rate, oneWay: 0, cycles: [variant.interval] }, exchangeBytes('poll', workload))
  }
  if (variant.kind === 'longpoll') {
    return longPollBytes({ rate, oneWay: 0, gap: 0, wait }, exchangeBytes('longpoll', workload))
  }
  return pushBytes(variant.kind === 'sse' ? 'sse' : 'ws', workload, rate)
}
