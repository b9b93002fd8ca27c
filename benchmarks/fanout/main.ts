import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type Kind, Pair, type Result } from './pair.ts'
import { type Cell, curveTable, fanoutTable, memoryTable, openTable, pollTable } from './report.ts'
import type { TransportName } from './server.ts'

/*
 * What one message costs that many are waiting for: ours beside what one would write without us, by turns, in one
 * run. Progress goes to stderr, tables to stdout.
 */

const HELP = `Usage: npm run bench:fanout -- [options]

  --rounds N     rounds of each pair (7; at least 5 for a figure to be quoted)
  --duration MS  length of a window (1000)
  --only NAMES   of: fanout, open, poll, memory, curves (all)
  --json FILE    the figures
  --help         this text
`

const SECTIONS = ['fanout', 'open', 'poll', 'memory', 'curves']

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    duration: { type: 'string', default: '1000' },
    only: { type: 'string', default: SECTIONS.join() },
    json: { type: 'string' },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  process.stdout.write(HELP)
  process.exit()
}
const rounds = Number(values.rounds)
const duration = Number(values.duration)
const only = values.only.split(',')
if (!(rounds >= 1) || !(duration >= 100) || only.some((name) => !SECTIONS.includes(name))) {
  process.stderr.write('bench:fanout: --rounds, --duration or --only is off; see --help\n')
  process.exit(2)
}

const STREAMS: readonly TransportName[] = ['ws', 'sse', 'longpoll']
const KINDS: readonly Kind[] = ['ours', 'reference']

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Both sides by turns, each round with fresh processes and in the other order than the round before. */
async function byTurns<T>(title: string, measure: (kind: Kind) => Promise<T>): Promise<Cell<T>> {
  const cell: Cell<T> = { ours: [], reference: [] }
  for (let round = 0; round < rounds; round++) {
    progress(`${title}: round ${round + 1} of ${rounds}`)
    for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) cell[kind].push(await measure(kind))
  }
  return cell
}

async function windows(
  kind: Kind,
  transport: TransportName,
  readers: number,
  loads: readonly { outstanding?: number; rate?: number }[],
  more?: Parameters<typeof Pair.start>[3],
): Promise<Result[]> {
  const pair = await Pair.start(kind, transport, readers, more)
  try {
    // So long that it runs compiled code.
    await pair.run({ outstanding: 8, rate: 0, duration: Math.max(duration, 1000) })
    const results = []
    for (const { outstanding = 0, rate = 0 } of loads) {
      const length = rate > 0 ? Math.max(duration, 30_000 / rate) : duration
      results.push(await pair.run({ outstanding, rate, duration: length }))
    }
    return results
  } finally {
    await pair.stop()
  }
}

async function memory(kind: Kind, transport: TransportName): Promise<number> {
  const points: [number, number][] = []
  for (const readers of [1000, 3000, 5000]) {
    const pair = await Pair.start(kind, transport, readers)
    points.push([readers, (await pair.usage('memory')).memory])
    await pair.stop()
  }
  return slope(points)
}

/** Bytes a reader: the line through the points. */
function slope(points: readonly [number, number][]): number {
  const mean = (i: 0 | 1) => points.reduce((sum, point) => sum + point[i], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const over = points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0)
  return over / points.reduce((sum, [a]) => sum + (a - x) ** 2, 0)
}

const figures: Record<string, unknown> = {
  node: process.version,
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  versions: Object.fromEntries(
    ['fastify', 'ws'].map((name) => {
      const file = new URL(`../../../node_modules/${name}/package.json`, import.meta.url)
      return [name, JSON.parse(readFileSync(file, 'utf8')).version]
    }),
  ),
  rounds,
  duration,
}
const print = (text: string) => process.stdout.write(`${text}\n\n`)
print(
  `node ${process.version}, ${figures.cores} x ${figures.cpu}, ${JSON.stringify(figures.versions)}, ${rounds} rounds`,
)

if (only.includes('fanout')) {
  const outstanding = [1, 8, 32]
  const rows = []
  for (const transport of STREAMS) {
    for (const readers of [100, 1000]) {
      const loads = outstanding.map((each) => ({ outstanding: each }))
      const title = `${transport}, ${readers} subscribers`
      const cell = await byTurns(title, (kind) => windows(kind, transport, readers, loads))
      rows.push({ transport, readers, outstanding, cell })
    }
  }
  figures.fanout = rows
  print(fanoutTable(rows))
}

if (only.includes('open')) {
  const rows = []
  for (const transport of STREAMS) {
    for (const [readers, rate] of [
      [100, 10],
      [1000, 10],
      [100, 100],
    ] as const) {
      const title = `${transport}, ${readers} subscribers, ${rate} messages/s`
      rows.push({
        transport,
        readers,
        rate,
        cell: await byTurns(title, (kind) => windows(kind, transport, readers, [{ rate }])),
      })
    }
  }
  figures.open = rows
  print(openTable(rows))
}

if (only.includes('poll')) {
  const rows = []
  for (const fill of [0, 1, 100]) {
    const title = `poll, ${fill} new`
    rows.push({ fill, cell: await byTurns(title, (kind) => windows(kind, 'poll', 8, [{}], { fill })) })
  }
  figures.poll = rows
  print(pollTable(rows))
}

if (only.includes('memory')) {
  const rows = []
  for (const transport of STREAMS) {
    rows.push({ transport, cell: await byTurns(`memory, ${transport}`, (kind) => memory(kind, transport)) })
  }
  figures.memory = rows
  print(memoryTable(rows))
}

if (only.includes('curves')) {
  const rows = []
  const one = [{ outstanding: 1 }]
  for (const transport of STREAMS) {
    for (const readers of [10, 30, 100, 300, 1000, 3000, 5000]) {
      progress(`curve: ${transport}, ${readers} subscribers`)
      rows.push({
        curve: 'subscribers',
        transport,
        at: readers,
        result: (await windows('ours', transport, readers, one))[0]!,
      })
    }
    for (const channels of [1, 10, 100, 1000, 10_000]) {
      progress(`curve: ${transport}, ${channels} channels`)
      const [result] = await windows('ours', transport, channels, [{ outstanding: 32 }], { channels })
      rows.push({ curve: 'channels, a reader each', transport, at: channels, result: result! })
    }
    for (const payload of [16, 128, 1024, 8192, 65_536]) {
      progress(`curve: ${transport}, ${payload} bytes`)
      rows.push({
        curve: 'payload bytes',
        transport,
        at: payload,
        result: (await windows('ours', transport, 100, one, { payload }))[0]!,
      })
    }
  }
  for (const readers of [1, 1000]) {
    progress(`curve: replay of 100,000 to ${readers}`)
    const pair = await Pair.start('ours', 'ws', readers, { fill: 100_000 })
    rows.push({
      curve: 'replay of 100,000, readers',
      transport: 'ws' as const,
      at: readers,
      result: await pair.run({ outstanding: 0, rate: 0, duration }),
    })
    await pair.stop()
  }
  figures.curves = rows
  print(curveTable(rows))
}

if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, null, 1)}\n`)
