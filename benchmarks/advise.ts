import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import {
  type Candidate,
  type Coefficients,
  coefficientsOf,
  isWhole,
  type Need,
  PRICES,
  type Refusal,
  rank,
} from './advice.ts'
import { FORMAT } from './json.ts'
import { type Prices, USUAL } from './model/need.ts'
import { checked, number, oneOf, UsageError } from './options.ts'
import { show, table } from './table.ts'

const HELP = `fastify-tidings-bench advise: which transport fits

Usage: fastify-tidings-bench advise [options]

  --subscribers N       readers at once (1000)
  --rate N              messages a second to each (0.1)
  --payload BYTES       (200)
  --latency-p99 MS      the delay that may be, for 99 of 100 messages (500)
  --rtt MS              between clients and server (40)
  --http 1.1|2          (1.1)
  --tabs N              pages of one browser that are open at once (1)
  --proxy-idle S        after which a proxy on the way cuts an idle connection (60)
  --users N             for the month's figures, where it is not --subscribers
  --price-per-gb P      of what leaves the server (0.09)
  --price-per-core P    of a busy core and month (25)
  --results FILE        of bench --json: what a delivery costs on your machine
  -h, --help            this text
`

/**
 * The command `advise`.
 * @param print takes what it says
 * @returns the program's exit code
 * @throws UsageError
 */
export async function advise(
  args: string[],
  print: (text: string) => void = (text) => process.stdout.write(text),
): Promise<number> {
  const text = { type: 'string' } as const
  const values = checked(() =>
    parseArgs({
      args,
      options: {
        subscribers: text,
        rate: text,
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
  const need: Need = {
    subscribers: number('subscribers', values.subscribers ?? String(USUAL.subscribers), {
      least: 1,
      most: 1e9,
      whole,
    }),
    rate: number('rate', values.rate ?? String(USUAL.rate), { least: 1e-6, most: 1e6 }),
    payload: number('payload', values.payload ?? String(USUAL.payload), { least: 1, most: 65_536, whole }),
    latency:
      number('latency-p99', values['latency-p99'] ?? String(USUAL.latency * 1e3), { least: 1, most: 1e8 }) /
      1e3,
    rtt: number('rtt', values.rtt ?? String(USUAL.rtt * 1e3), { least: 0, most: 1e5 }) / 1e3,
    http: oneOf('http', values.http ?? USUAL.http, ['1.1', '2']),
    tabs: number('tabs', values.tabs ?? String(USUAL.tabs), { least: 1, most: 1000, whole }),
    proxyIdle: number('proxy-idle', values['proxy-idle'] ?? String(USUAL.proxyIdle), { least: 1, most: 1e6 }),
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
  const { verdict, candidates, refused } = rank(need, coefficients, prices)
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
    throw new UsageError(`--results '${file}' is no JSON`)
  }
  if (results?.format !== FORMAT)
    throw new UsageError(`--results '${file}' must be of bench --json, format ${FORMAT}`)
  return coefficientsOf(results as Parameters<typeof coefficientsOf>[0])
}

const MONTH = 30 * 24 * 3600

function adviceText(
  need: Need,
  verdict: string,
  candidates: readonly Candidate[],
  refused: readonly Refusal[],
  coefficients: Coefficients | undefined,
  prices: Prices,
  users = need.subscribers,
): string {
  const lines: string[] = []
  for (const { name, why } of refused) lines.push(`${name}: not here: ${why}`)
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
        'bytes/s each',
        'egress GB a month',
        ...(priced ? ['price a month'] : []),
        `server CPU cores${extrapolated ? ' *' : ''}`,
        'radio on %',
        'bound by',
        'changes',
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
          one.binding,
          one.changes,
        ]
      }),
    ),
    priced
      ? `Ranked by price: ${prices.gigabyte} a GB that leaves the server and ${prices.core} a core, by --price-per-gb and --price-per-core.`
      : 'Ranked by bytes over the network, TCP/IP headers included.',
    '"=" is a tie with the one above: within 5 %, or their intervals overlap. Changes: the rate at which it would change places with its neighbour.',
    'The radio’s share is a model with one tail of 10 s.',
    !known
      ? 'CPU is not told: give --results with a file of a full run of bench --json from your machine.'
      : extrapolated
        ? `* extrapolated: a message went to ${coefficients.subscribers.toLocaleString('en-US')} subscribers at most.`
        : 'CPU is that of a hot server, as that file has it.',
    '',
  )
  return lines.join('\n')
}
