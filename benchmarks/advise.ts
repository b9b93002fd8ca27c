import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import {
  adviceFor,
  type CandidateRow,
  type Coefficients,
  coefficientsOf,
  type ExclusionRow,
  isWhole,
  PRICES,
  type Requirements,
} from './advice.ts'
import { FORMAT } from './json.ts'
import { DEFAULT_REQUIREMENTS, type Prices } from './model/requirements.ts'
import { asUsageError, number, oneOf, UsageError } from './options.ts'
import { show, table } from './table.ts'

const HELP = `fastify-tidings-bench advise: recommend a transport for a workload

Usage: fastify-tidings-bench advise [options]

  --subscribers N       concurrent subscribers (1000)
  --rate N              messages per second to each subscriber (0.1)
  --back N              messages per second from each subscriber (0)
  --payload BYTES       payload size (200)
  --latency-p99 MS      maximum p99 latency (500)
  --rtt MS              round-trip time between clients and server (40)
  --http 1.1|2          HTTP version (1.1)
  --tabs N              pages open at once in one browser (1)
  --proxy-idle S        idle timeout of proxies between clients and server (60)
  --users N             users for the monthly figures (--subscribers)
  --price-per-gb P      price of a GB of egress (0.09)
  --price-per-core P    price of a busy core per month (25)
  --results FILE        output of bench --json, with the CPU costs of your machine
  -h, --help            print this help
`

/**
 * Runs the command `advise`.
 * @param print receives the output. Default: standard output
 * @returns the exit code
 * @throws UsageError
 */
export async function advise(
  args: string[],
  print: (text: string) => void = (text) => process.stdout.write(text),
): Promise<number> {
  const text = { type: 'string' } as const
  const values = asUsageError(() =>
    parseArgs({
      args,
      options: {
        subscribers: text,
        rate: text,
        back: text,
        payload: text,
        'latency-p99': text,
        rtt: text,
        http: text,
        tabs: text,
        'proxy-idle': text,
        users: text,
        'price-per-gb': text,
        'price-per-core': text,
        results: text,
        help: { type: 'boolean', short: 'h' },
      },
    }),
  ).values
  if (values.help) {
    print(HELP)
    return 0
  }
  const whole = true
  const need: Requirements = {
    subscribers: number('subscribers', values.subscribers ?? String(DEFAULT_REQUIREMENTS.subscribers), {
      least: 1,
      most: 1e9,
      whole,
    }),
    rate: number('rate', values.rate ?? String(DEFAULT_REQUIREMENTS.rate), { least: 1e-6, most: 1e6 }),
    back: number('back', values.back ?? String(DEFAULT_REQUIREMENTS.back), { least: 0, most: 1e6 }),
    payload: number('payload', values.payload ?? String(DEFAULT_REQUIREMENTS.payload), {
      least: 1,
      most: 65_536,
      whole,
    }),
    latency:
      number('latency-p99', values['latency-p99'] ?? String(DEFAULT_REQUIREMENTS.latency * 1e3), {
        least: 1,
        most: 1e8,
      }) / 1e3,
    rtt: number('rtt', values.rtt ?? String(DEFAULT_REQUIREMENTS.rtt * 1e3), { least: 0, most: 1e5 }) / 1e3,
    http: oneOf('http', values.http ?? DEFAULT_REQUIREMENTS.http, ['1.1', '2']),
    tabs: number('tabs', values.tabs ?? String(DEFAULT_REQUIREMENTS.tabs), { least: 1, most: 1000, whole }),
    proxyIdle: number('proxy-idle', values['proxy-idle'] ?? String(DEFAULT_REQUIREMENTS.proxyIdle), {
      least: 1,
      most: 1e6,
    }),
  }
  const users =
    values.users === undefined ? undefined : number('users', values.users, { least: 1, most: 1e10, whole })
  const price = (flag: 'price-per-gb' | 'price-per-core', usual: number) =>
    number(flag, values[flag] ?? String(usual), { least: 0, most: 1e6 })
  const prices = {
    gigabyte: price('price-per-gb', PRICES.gigabyte),
    core: price('price-per-core', PRICES.core),
  }
  const coefficients = values.results === undefined ? undefined : await readResults(values.results)
  const { verdict, candidates, refused } = adviceFor(need, coefficients, prices)
  print(adviceText(need, verdict, candidates, refused, coefficients, prices, users))
  return 0
}

/** @throws UsageError */
async function readResults(file: string): Promise<Coefficients> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch {
    throw new UsageError(`--results '${file}' can't be read`)
  }
  let results: { format?: unknown }
  try {
    results = JSON.parse(text)
  } catch {
    throw new UsageError(`--results '${file}' is not JSON`)
  }
  if (results?.format !== FORMAT)
    throw new UsageError(`--results '${file}' must be output of bench --json, format ${FORMAT}`)
  return coefficientsOf(results as Parameters<typeof coefficientsOf>[0])
}

const MONTH = 30 * 24 * 3600

function adviceText(
  need: Requirements,
  verdict: string,
  candidates: readonly CandidateRow[],
  refused: readonly ExclusionRow[],
  coefficients: Coefficients | undefined,
  prices: Prices,
  users = need.subscribers,
): string {
  const lines: string[] = []
  for (const { name, why } of refused) lines.push(`${name}: excluded: ${why}`)
  if (refused.length > 0) lines.push('')
  if (candidates.length === 0) return [...lines, verdict, ''].join('\n')
  const known = coefficients !== undefined && isWhole(coefficients)
  const extrapolated = known && need.subscribers > 2 * coefficients.subscribers
  const priced = candidates.every(({ price }) => price !== null)
  const part = users / need.subscribers
  lines.push(
    verdict,
    '',
    table(
      [
        'Rank',
        'p99 ms',
        'bytes/s per subscriber',
        'egress GB/month',
        ...(priced ? ['price/month'] : []),
        `server CPU cores${extrapolated ? ' *' : ''}`,
        'radio on %',
        'memory MB',
        'limited by',
        'break-even',
      ],
      candidates.map((one, i) => {
        const egress = (one.down * need.rate * users * MONTH) / 1e9
        const place = i > 0 && one.tie ? '= ' : `${i + 1} `
        return [
          place + one.name,
          show(one.p99 * 1e3),
          show(one.bytes * need.rate),
          show(egress),
          ...(priced ? [show(one.price! * part)] : []),
          show(one.cores),
          show(one.radio * 100),
          show(one.memory === null ? null : one.memory / 1e6),
          one.binding,
          one.changes,
        ]
      }),
    ),
    priced
      ? `Ranked by price: ${prices.gigabyte} per GB of egress (--price-per-gb) and ${prices.core} per core (--price-per-core).`
      : 'Ranked by network bytes, including TCP/IP headers.',
    '"=" ties with the row above: within 5 %, or with overlapping intervals. Break-even: the rate at which the row swaps ranks with its neighbour.',
    'Radio time comes from a model with a single tail of 10 s. Memory is heap and external memory of idle subscribers, measured on Node 20.',
    !known
      ? 'CPU is unknown. Pass --results with the --json output of a full run on your machine.'
      : extrapolated
        ? `* extrapolated: the run had at most ${coefficients.subscribers.toLocaleString('en-US')} subscribers.`
        : 'CPU is that of a warmed-up server, from that file. See --explain of the benchmark for all columns.',
    '',
  )
  return lines.join('\n')
}
