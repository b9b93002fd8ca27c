import { parseArgs } from 'node:util'
import { BUNDLED } from './adapters/names.ts'
import { LEAST_PAYLOAD } from './payload.ts'
import { pollVariant, type Settings, type Variant, variantOf } from './plan.ts'
import { PROFILES, type Profile } from './profiles.ts'

/** An error in the command line. The program prints it on one line and exits with code 2. */
export class UsageError extends Error {
  readonly exitCode = 2
}

export const BENCH_HELP = `fastify-tidings-bench: measure the cost of each transport

Usage: fastify-tidings-bench [options]
       fastify-tidings-bench doctor [options]     check this machine and estimate the duration
       fastify-tidings-bench compare BEFORE.json AFTER.json
       fastify-tidings-bench advise [options]     recommend a transport

  --quick                about one minute: poll at 1 s, longpoll, sse and ws, without a ranking
  --transports LIST      comma-separated: poll, longpoll, sse, ws (all)
  --poll-interval MS     polling interval, repeatable (100, 1000, 5000; quick: 1000)
  --subscribers N        number of subscribers (100)
  --channels HOW         shared: one channel for all subscribers; each: one channel each (shared)
  --rate N               messages per second and channel (30)
  --payload BYTES        payload size (200)
  --wait S               time the server holds a long poll (25)
  --session S            connection lifetime over which its setup cost is spread (600)
  --duration S           measurement window of a round (10; quick: 4)
  --rounds N             rounds per transport (7; quick: 3)
  --warmup S             warm-up of a round before its window (0.5; quick: 0.1)
  --heat N               requests or deliveries that warm a server up before its first round,
                         until its code is compiled (50000; quick: 5000)
  --minutes N            time limit of a full run, including repeated rounds (19)
  --header-profile NAME  request headers besides Host: minimal, fetch or browser (minimal)
  --rtt MS               round-trip time added by a delay proxy (0)
  --seed N               seed of the random numbers (1)
  --target MODULE        server to measure: the path of an adapter, or one of
                         ${BUNDLED.join(', ')}
  --against CHECKOUT     another built checkout of this package, run in alternation with this
                         one; the exit code is 1 if this one is worse
  --url URL              running app to measure, http only; it must allow clients to publish
  --explain              define the terms and the columns of all tables
  --verbose              print all figures instead of one row per transport
  --json FILE            write the figures as JSON
  --html FILE            write an HTML page with plots
  -h, --help             print this help
`

export interface BenchOptions extends Settings {
  readonly verbose: boolean
  readonly explain: boolean
  readonly json: string | undefined
  readonly html: string | undefined
}

/** Parses the flags as strings. */
function parse(args: string[]) {
  const text = { type: 'string' } as const
  return parseArgs({
    args,
    options: {
      quick: { type: 'boolean' },
      transports: text,
      'poll-interval': { type: 'string', multiple: true },
      subscribers: text,
      channels: text,
      rate: text,
      payload: text,
      wait: text,
      session: text,
      duration: text,
      rounds: text,
      warmup: text,
      heat: text,
      minutes: text,
      'header-profile': text,
      rtt: text,
      seed: text,
      url: text,
      target: text,
      against: text,
      json: text,
      html: text,
      verbose: { type: 'boolean' },
      explain: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values
}

const KINDS = ['poll', 'longpoll', 'sse', 'ws'] as const

/** @throws UsageError that names the flag */
export function parseBenchOptions(args: string[]): BenchOptions | 'help' {
  const values = asUsageError(() => parse(args))
  if (values.help) return 'help'
  const quick = values.quick ?? false
  const kinds = (values.transports ?? KINDS.join(','))
    .split(',')
    .map((name) => oneOf('transports', name, KINDS))
  const intervals = values['poll-interval'] ?? (quick ? ['1000'] : ['100', '1000', '5000'])
  const polls = intervals.map((text) => number('poll-interval', text, { least: 10, most: 600_000 }) / 1000)
  const variants = [...new Set(kinds)].flatMap((kind): Variant[] =>
    kind === 'poll' ? [...new Set(polls)].map(pollVariant) : [variantOf(kind)],
  )
  const whole = true
  const others = ['url', 'target', 'against'].filter((name) => Object.hasOwn(values, name))
  if (others.length > 1) throw new UsageError(`--${others.join(' and --')} exclude each other`)
  return {
    quick,
    variants,
    workload: {
      subscribers: number('subscribers', values.subscribers ?? '100', { least: 1, most: 10_000, whole }),
      channels: oneOf('channels', values.channels ?? 'shared', ['shared', 'each']),
      rate: number('rate', values.rate ?? '30', { least: 0.01, most: 10_000 }),
      payload: number('payload', values.payload ?? '200', { least: LEAST_PAYLOAD, most: 65_536, whole }),
      wait: number('wait', values.wait ?? '25', { least: 1, most: 55, whole }),
      session: number('session', values.session ?? '600', { least: 1, most: 1e7 }),
      profile: oneOf<Profile>('header-profile', values['header-profile'] ?? 'minimal', PROFILES),
      rtt: number('rtt', values.rtt ?? '0', { least: 0, most: 10_000 }),
    },
    rounds: number('rounds', values.rounds ?? (quick ? '3' : '7'), { least: 1, most: 1000, whole }),
    warmup: number('warmup', values.warmup ?? (quick ? '0.1' : '0.5'), { least: 0.1, most: 600 }),
    duration: number('duration', values.duration ?? (quick ? '4' : '10'), { least: 0.5, most: 3600 }),
    heat: number('heat', values.heat ?? (quick ? '5000' : '50000'), { least: 0, most: 1e7, whole }),
    minutes: number('minutes', values.minutes ?? '19', { least: 1, most: 1440 }),
    seed: number('seed', values.seed ?? '1', { least: 0, most: 2 ** 32 - 1, whole }),
    url: values.url === undefined ? undefined : urlOf(values.url),
    target: values.target,
    against: values.against,
    verbose: values.verbose ?? false,
    explain: values.explain ?? false,
    json: values.json,
    html: values.html,
  }
}

/** @throws UsageError with the first sentence of the error of node:util */
export function asUsageError<T>(parsing: () => T): T {
  try {
    return parsing()
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ', 1)[0]!.replace(/\n.*/s, ''))
  }
}

interface Range {
  readonly least: number
  readonly most: number
  readonly whole?: boolean
}

/** @throws UsageError */
export function number(flag: string, text: string, { least, most, whole = false }: Range): number {
  const value = Number(text)
  const fits = /^[0-9.]+$/.test(text) && value >= least && value <= most
  if (fits && (!whole || Number.isInteger(value))) return value
  throw new UsageError(
    `--${flag} '${text}' must be a ${whole ? 'whole ' : ''}number from ${least} to ${most}`,
  )
}

/** @throws UsageError */
export function oneOf<T extends string>(flag: string, text: string, known: readonly T[]): T {
  const found = known.find((name) => name === text)
  if (found !== undefined) return found
  throw new UsageError(`--${flag} '${text}' must be one of ${known.join(', ')}`)
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:') return url
  throw new UsageError(`--url '${text}' must be an http URL such as http://127.0.0.1:3000`)
}
