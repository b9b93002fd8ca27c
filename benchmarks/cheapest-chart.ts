import { type Coefficients, cheapestFor } from './advice.ts'
import type { Transport } from './model/requirements.ts'

/** Draws the map of the cheapest transport over message rate and maximum latency, as a self-contained SVG. */

/** Colors of Okabe and Ito, which remain distinguishable with color vision deficiencies and in grayscale. */
const COLORS: Record<Transport, string> = {
  poll: '#e69f00',
  longpoll: '#009e73',
  sse: '#0072b2',
  ws: '#56b4e9',
}
const NAMES: Record<Transport, string> = {
  poll: 'polling',
  longpoll: 'long polling',
  sse: 'Server-Sent Events',
  ws: 'WebSocket',
}

const GRID = { columns: 60, rows: 40, width: 11, height: 8 }
const LEFT = 86
const TOP = 12
/** Exponents of ten: messages per second on the x-axis, seconds on the y-axis. */
const RATES = [-3, 3] as const
const DELAYS = [-2, 2] as const

/** Default round trip in milliseconds, if the run added none. */
const RTT = 40

export interface ChartWorkload {
  readonly subscribers: number
  readonly payload: number
  readonly rtt: number
}

/** Returns the workload of the map. */
export function chartWorkloadOf({ subscribers, payload, rtt }: ChartWorkload): ChartWorkload {
  return { subscribers, payload, rtt: rtt > 0 ? rtt : RTT }
}

export function cheapestChart(mapped: ChartWorkload, coefficients: Coefficients | undefined): string {
  const { columns, rows, width, height } = GRID
  const { subscribers, payload, rtt } = chartWorkloadOf(mapped)
  const cells: string[] = []
  const found = new Set<Transport>()
  for (let row = 0; row < rows; row++) {
    const latency = between(DELAYS, 1 - row / (rows - 1))
    const best = Array.from({ length: columns }, (_, column) =>
      cheapestFor(
        { subscribers, rate: between(RATES, column / (columns - 1)), payload, latency, rtt: rtt / 1e3 },
        coefficients,
      ),
    )
    // Merge adjacent cells with the same color into one rectangle.
    for (let from = 0, to = 0; from < columns; from = to) {
      while (to < columns && best[to] === best[from]) to++
      const way = best[from]
      if (way === undefined) continue
      found.add(way)
      cells.push(
        `<rect x="${LEFT + from * width}" y="${TOP + row * height}" width="${(to - from) * width}" height="${height}" fill="${COLORS[way]}"/>`,
      )
    }
  }
  const [right, bottom] = [LEFT + columns * width, TOP + rows * height]
  const xOf = (power: number) =>
    (LEFT + width / 2 + ((power - RATES[0]) / (RATES[1] - RATES[0])) * (columns - 1) * width).toFixed(1)
  const across = powers(RATES).map((power) => {
    const x = xOf(power)
    return `<path d="M${x} ${bottom}v5"/><text x="${x}" y="${bottom + 19}" text-anchor="middle">${power < 0 ? (10 ** power).toFixed(-power) : 10 ** power}</text>`
  })
  const up = powers(DELAYS).map((power) => {
    const y = TOP + height / 2 + ((DELAYS[1] - power) / (DELAYS[1] - DELAYS[0])) * (rows - 1) * height
    return `<path d="M${LEFT} ${y.toFixed(1)}h-5"/><text x="${LEFT - 9}" y="${(y + 4).toFixed(1)}" text-anchor="end">${power < 0 ? `${10 ** (power + 3)} ms` : `${10 ** power} s`}</text>`
  })
  const shown = (Object.keys(COLORS) as Transport[]).filter((way) => found.has(way))
  const legend = [
    ...shown.map((way) => [`fill="${COLORS[way]}" stroke="none"`, NAMES[way]]),
    ['fill="none"', 'no transport'],
  ].map(
    ([paint, name], i) =>
      `<rect x="${LEFT + i * 135}" y="${bottom + 54}" width="13" height="13" ${paint}/><text x="${LEFT + 19 + i * 135}" y="${bottom + 65}">${name}</text>`,
  )
  const middle = TOP + (rows * height) / 2
  return `<svg shape-rendering="crispEdges" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${right + 14} ${bottom + 76}" role="img" aria-label="The cheapest transport by message rate and maximum p99 latency">
<style>text{font:13px system-ui,sans-serif;fill:#1b1d21}path,.frame,rect[fill=none]{fill:none;stroke:#1b1d21}@media(prefers-color-scheme:dark){text{fill:#e6e6e6}path,.frame,rect[fill=none]{stroke:#e6e6e6}}</style>
${cells.join('')}
<rect class="frame" x="${LEFT}" y="${TOP}" width="${columns * width}" height="${rows * height}"/>
${across.join('')}${up.join('')}
<text x="${(LEFT + right) / 2}" y="${bottom + 40}" text-anchor="middle">messages/s per subscriber</text>
<text transform="translate(16 ${middle}) rotate(-90)" text-anchor="middle">maximum p99 latency</text>
${legend.join('')}
</svg>
`
}

function between([least, most]: readonly [number, number], part: number): number {
  return 10 ** (least + (most - least) * part)
}

function powers([least, most]: readonly [number, number]): number[] {
  return Array.from({ length: most - least + 1 }, (_, i) => least + i)
}
