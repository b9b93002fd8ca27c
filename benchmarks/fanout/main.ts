import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { hasNchan } from './nchan.ts'
import {
  type Conditions,
  type Figures,
  type PairedResults,
  resultsText,
  SECTIONS,
  sectionText,
  type Tables,
} from './report.ts'
import type { TransportName } from './server.ts'
import { combineSlices, type ImplementationName, type Result, ServerWithLoad } from './server-with-load.ts'

/*
 * Compares the fan-out cost of the plugin with hand-written implementations. All run in alternation within one run.
 * Progress goes to stderr, tables go to stdout.
 */

const HELP = `Usage: npm run bench:fanout -- [options]

  --rounds N     rounds per pair (7; use at least 5 for figures to cite; curves always have 1)
  --duration MS  time per load and round (1000)
  --only NAMES   parts to run: fanout, open, ladder, path, poll, memory, curves (all)
  --json FILE    write the figures to a file
  --publish      write the figures to benchmarks/results; other parts keep their figures
  --again        measure nothing: write fanout.md again from fanout.json
  --help         print this help
`

const JSON_FILE = 'benchmarks/results/fanout.json'
const TEXT_FILE = 'benchmarks/results/fanout.md'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    duration: { type: 'string', default: '1000' },
    only: { type: 'string', default: SECTIONS.join() },
    json: { type: 'string' },
    publish: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  process.stdout.write(HELP)
  process.exit()
}
if (values.again) {
  writeFileSync(TEXT_FILE, resultsText(JSON.parse(readFileSync(JSON_FILE, 'utf8'))))
  process.exit()
}
const rounds = Number(values.rounds)
const duration = Number(values.duration)
const only = SECTIONS.filter((name) => values.only.split(',').includes(name))
if (!(rounds >= 1) || !(duration >= 100) || only.length !== values.only.split(',').length) {
  process.stderr.write('bench:fanout: invalid --rounds, --duration or --only; see --help\n')
  process.exit(2)
}

const STREAMS: readonly TransportName[] = ['ws', 'sse', 'longpoll']
const KINDS = ['ours', 'reference'] as const
/** Ordered from the minimal implementation to the complete app. */
const LONG_POLL_ORDER: readonly ImplementationName[] = [
  ...(hasNchan() ? (['nchan'] as const) : []),
  ...(['raw', 'http', 'fastify', 'reference', 'ours', 'stats', 'start'] as const),
]

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Measures both implementations in alternation. Each round starts new processes and reverses the order. */
async function byTurns<T>(
  title: string,
  measure: (kinds: readonly (typeof KINDS)[number][]) => Promise<Record<(typeof KINDS)[number], T>>,
): Promise<PairedResults<T>> {
  const cell: PairedResults<T> = { ours: [], reference: [] }
  for (let round = 0; round < rounds; round++) {
    progress(`${title}: round ${round + 1} of ${rounds}`)
    const measured = await measure(round % 2 === 0 ? KINDS : KINDS.toReversed())
    for (const kind of KINDS) cell[kind].push(measured[kind])
  }
  return cell
}

interface Load {
  readonly outstanding?: number
  readonly rate?: number
}

type More = Parameters<typeof ServerWithLoad.start>[3]

/**
 * Returns the number of slices per load and round. Short slices expose both sides to the same fluctuations of the
 * machine. A slice must contain many event loop turns, which grow with the deliveries per turn, or with the requests of
 * long polling.
 */
function slicesOf(transport: TransportName, readers: number, { outstanding = 0, rate = 0 }: Load): number {
  const turn = readers * outstanding * (transport === 'longpoll' ? 4 : 1)
  if (turn > 1000) return 1
  return turn > 100 || rate > 0 ? 5 : 20
}

/** Deliveries or responses to warm a server up, and the maximum number of one-second windows. */
const HOT = 50_000
const TURNS = 5

/** Runs the loads in slices. The implementations run at the same time and take slices in alternation. */
async function windows<K extends ImplementationName>(
  kinds: readonly K[],
  transport: TransportName,
  readers: number,
  loads: readonly Load[],
  more?: More,
): Promise<Record<K, Result[]>> {
  const pairs = new Map<K, ServerWithLoad>()
  const results = Object.fromEntries(kinds.map((kind) => [kind, [] as Result[]])) as Record<K, Result[]>
  try {
    for (const kind of kinds) {
      const pair = await ServerWithLoad.start(kind, transport, readers, more)
      pairs.set(kind, pair)
      // Warm up until the code is compiled. The other implementations of long polling keep one message, so only one
      // may be outstanding.
      const outstanding = KINDS.some((one) => one === kind) ? 8 : 1
      for (let done = 0, turn = 0; done < HOT && turn < TURNS; turn++) {
        const { published } = await pair.run({ outstanding, rate: 0, duration: 1000 })
        done += published * readers
      }
    }
    for (const load of loads) {
      const { outstanding = 0, rate = 0 } = load
      const count = slicesOf(transport, readers, load)
      const length = (rate > 0 ? Math.max(duration, 30_000 / rate) : duration) / count
      const slices = new Map(kinds.map((kind) => [kind, [] as Result[]]))
      for (let slice = 0; slice < count; slice++) {
        for (const kind of slice % 2 === 0 ? kinds : kinds.toReversed()) {
          const window = { outstanding, rate, duration: length, more: slice > 0 }
          slices.get(kind)!.push(await pairs.get(kind)!.run(window))
        }
      }
      for (const kind of kinds) results[kind].push(combineSlices(slices.get(kind)!))
    }
  } finally {
    await Promise.allSettled([...pairs.values()].map((pair) => pair.stop()))
  }
  return results
}

async function memory(kind: ImplementationName, transport: TransportName): Promise<number> {
  const points: [number, number][] = []
  for (const readers of [1000, 3000, 5000]) {
    const pair = await ServerWithLoad.start(kind, transport, readers)
    points.push([readers, (await pair.usage('memory')).memory])
    await pair.stop()
  }
  return slope(points)
}

/** Returns bytes per reader: the slope of the regression line. */
function slope(points: readonly [number, number][]): number {
  const mean = (i: 0 | 1) => points.reduce((sum, point) => sum + point[i], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const over = points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0)
  return over / points.reduce((sum, [a]) => sum + (a - x) ** 2, 0)
}

const measures = {
  async fanout() {
    const outstanding = [1, 8, 32]
    const loads = outstanding.map((each) => ({ outstanding: each }))
    const rows = []
    for (const transport of STREAMS) {
      for (const readers of [100, 1000]) {
        const title = `${transport}, ${readers} subscribers`
        const cell = await byTurns(title, (kinds) => windows(kinds, transport, readers, loads))
        rows.push({ transport, readers, outstanding, cell })
      }
    }
    return rows
  },

  async open() {
    const rows = []
    for (const transport of STREAMS) {
      for (const [readers, rate] of [
        [100, 10],
        [1000, 10],
        [100, 100],
      ] as const) {
        const title = `${transport}, ${readers} subscribers, ${rate} messages/s`
        const cell = await byTurns(title, (kinds) => windows(kinds, transport, readers, [{ rate }]))
        rows.push({ transport, readers, rate, cell })
      }
    }
    return rows
  },

  async ladder() {
    const readers = 1000
    const results = new Map<ImplementationName, Result[]>(LONG_POLL_ORDER.map((kind) => [kind, []]))
    for (let round = 0; round < rounds; round++) {
      progress(`long polling, other implementations: round ${round + 1} of ${rounds}`)
      const kinds = round % 2 === 0 ? LONG_POLL_ORDER : LONG_POLL_ORDER.toReversed()
      const measured = await windows(kinds, 'longpoll', readers, [{ outstanding: 1 }])
      for (const kind of LONG_POLL_ORDER) results.get(kind)!.push(measured[kind][0]!)
    }
    return [...results].map(([kind, of]) => ({ kind, readers, results: of }))
  },

  async path() {
    const kinds = ['ours', 'plain'] as const
    const rows: Tables['path'] = []
    for (const transport of ['ws', 'sse'] as const) {
      for (const readers of [100, 1000]) {
        const row = { transport, readers, fast: [] as Result[], plain: [] as Result[] }
        for (let round = 0; round < rounds; round++) {
          progress(`fast path: ${transport}, ${readers} subscribers, round ${round + 1} of ${rounds}`)
          const order = round % 2 === 0 ? kinds : kinds.toReversed()
          const measured = await windows(order, transport, readers, [{ outstanding: 1 }])
          row.fast.push(measured.ours[0]!)
          row.plain.push(measured.plain[0]!)
        }
        rows.push(row)
      }
    }
    return rows
  },

  async poll() {
    const rows = []
    for (const fill of [0, 1, 100]) {
      const cell = await byTurns(`poll, ${fill} new`, (kinds) => windows(kinds, 'poll', 8, [{}], { fill }))
      rows.push({ fill, cell })
    }
    return rows
  },

  async memory() {
    const rows = []
    for (const transport of STREAMS) {
      const cell = await byTurns(`memory, ${transport}`, async (kinds) => {
        const bytes = { ours: 0, reference: 0 }
        for (const kind of kinds) bytes[kind] = await memory(kind, transport)
        return bytes
      })
      rows.push({ transport, cell })
    }
    return rows
  },

  async curves() {
    const rows: Tables['curves'][number][] = []
    const one = { outstanding: 1 }
    for (const transport of STREAMS) {
      const point = async (curve: string, at: number, readers: number, load: Load, more?: More) => {
        progress(`curve: ${transport}, ${curve}: ${at}`)
        const { ours } = await windows(['ours'], transport, readers, [load], more)
        rows.push({ curve, transport, at, result: ours[0]! })
      }
      for (const readers of [10, 30, 100, 300, 1000, 3000, 5000]) {
        await point('subscribers', readers, readers, one)
      }
      for (const channels of [1, 10, 100, 1000, 10_000]) {
        await point('channels, a reader each', channels, channels, { outstanding: 32 }, { channels })
      }
      for (const payload of [16, 128, 1024, 8192, 65_536]) {
        await point('payload bytes', payload, 100, one, { payload })
      }
    }
    for (const readers of [1, 1000]) {
      progress(`curve: replay of 100,000 to ${readers}`)
      const pair = await ServerWithLoad.start('ours', 'ws', readers, { fill: 100_000 })
      rows.push({
        curve: 'replay of 100,000, readers',
        transport: 'ws',
        at: readers,
        result: await pair.run({ outstanding: 0, rate: 0, duration }),
      })
      await pair.stop()
    }
    return rows
  },
} satisfies { [N in keyof Tables]: () => Promise<Tables[N]> }

const require = createRequire(import.meta.url)
const versionOf = (name: string) => (require(`${name}/package.json`) as { version: string }).version
const conditions: Conditions = {
  node: process.version,
  machine: `${cpus().length} x ${cpus()[0]?.model}`,
  versions: { fastify: versionOf('fastify'), ws: versionOf('ws') },
  rounds,
  duration,
  planned: true,
}
const figures: Figures =
  values.publish && existsSync(JSON_FILE) ? JSON.parse(readFileSync(JSON_FILE, 'utf8')) : {}
for (const name of only) {
  // Curves have many points and one round each.
  const of = { ...conditions, rounds: name === 'curves' ? 1 : rounds }
  Object.assign(figures, { [name]: { conditions: of, rows: await measures[name]() } })
  process.stdout.write(`${sectionText(figures, name)}\n`)
}
const json = `${JSON.stringify(figures, null, 1)}\n`
if (values.json !== undefined) writeFileSync(values.json, json)
if (values.publish) {
  writeFileSync(JSON_FILE, json)
  writeFileSync(TEXT_FILE, resultsText(figures))
}
