import { parseArgs } from 'node:util'
import { SHIPPED } from './adapters/names.ts'
import { LEAST_PAYLOAD } from './payload.ts'
import { pollVariant, type Settings, type Variant, variantOf } from './plan.ts'
import { PROFILES, type Profile } from './profiles.ts'

/** What is wrong with how the program was called: said in one line, and the program ends with 2. */
export class UsageError extends Error {
  readonly exitCode = 2
}

export const BENCH_HELP = `fastify-tidings-bench: what each transport costs

Usage: fastify-tidings-bench [options]
       fastify-tidings-bench doctor [options]     whether this machine can, and how long it takes
       fastify-tidings-bench compare A.json B.json

  --quick                poll at 1 s, longpoll, sse, ws; in about a minute, no ranking
  --transports LIST      of poll, longpoll, sse, ws, with commas between (all)
  --poll-interval MS     repeatable (100, 1000, 5000; quick: 1000)
  --subscribers N        (100)
  --channels HOW         shared: one for all, or each: one for each subscriber (shared)
  --rate N               messages a second and channel (30)
  --payload BYTES        (200)
  --wait S               how long a long poll is held (25)
  --session S            over how long a connection's cost is spread (600)
  --duration S           what is measured of a round (10; quick: 4)
  --rounds N             (7; quick: 3)
  --warmup S             before it (0.5; quick: 0.1)
  --heat N               requests or deliveries that a server has behind it before that (50000; quick: 5000)
  --minutes N            that a full run may take with what it repeats (19)
  --header-profile NAME  minimal, fetch or browser: what clients send beside Host (minimal)
  --rtt MS               a round trip's delay, by a proxy between clients and server (0)
  --seed N               (1)
  --target MODULE        a server that an adapter starts: a file of yours, or one of
                         ${SHIPPED.join(', ')}
  --against CHECKOUT     another checkout of this package, built, by turns with this one; ends
                         with 1 where this one is worse
  --url URL              an app of yours that runs, http alone; it must let clients publish
  --explain              what each column of the tables is
  --verbose              all figures, not just a row a transport
  --json FILE            the figures, for programs
  --html FILE            one page with plots
  -h, --help             this text
`

export interface BenchOptions extends Settings {
  readonly verbose: boolean
  readonly explain: boolean
  readonly json: string | undefined
  readonly html: string | undefined
}

/** What the benchmark can be told; each is a text. */
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
export function readBench(args: string[]): BenchOptions | 'help' {
  const values = checked(() => parse(args))
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

/** @throws UsageError in the words of node:util, its first sentence */
export function checked<T>(parsing: () => T): T {
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
  throw new UsageError(`--url '${text}' must be such as http://127.0.0.1:3000`)
}
