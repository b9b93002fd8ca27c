import { readFile } from 'node:fs/promises'
import { LEAST_PAYLOAD } from './payload.ts'
import { uplotFiles } from './peers.ts'
import { pollVariant, variantOf, type Workload } from './plan.ts'
import { bytesAt, colorOf, plotsOf } from './plots.ts'
import { report } from './report.ts'
import { type Outcome, passed } from './run.ts'
import { type Summary, summariesOf } from './summary.ts'

/** The outcome as one page that needs nothing else. @throws MissingPeer */
export async function pageOf(outcome: Outcome): Promise<string> {
  const [script, style] = await uplotFiles()
  const own = (name: string) => readFile(new URL(`./page/${name}`, import.meta.url), 'utf8')
  const plots = plotsOf(outcome)
  const { settings } = outcome
  const summaries = summariesOf(outcome).filter(
    ({ section, bytes, variant }) =>
      section === 'headline' && bytes !== null && settings.variants.some(({ name }) => name === variant),
  )
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>fastify-tidings: what each transport costs</title>
<style>${style}${await own('page.css')}</style>
<h1>What each transport costs</h1>
${passed(outcome) ? '' : '<p class="fail">This run did not pass its gates: its figures are not to be cited.</p>'}
${outcome.partial ? '<p class="fail">This run was interrupted: it is partial.</p>' : ''}
${plots
  .map(({ id, title, note }) => `<h2>${escaped(title)}</h2><p>${escaped(note)}</p><div id="${id}"></div>`)
  .join('\n')}
<h2>Bytes a message, up and down</h2>
${bars(summaries)}
<h2>The cheapest transport</h2>
<p>Fewest bytes by the model, over message rate and the delay that may be (99 of 100 messages). A poll’s interval is the longest that keeps it; a mixed bag of costs (CPU, memory, radio) is not in it.</p>
${map(settings.workload)}
<h2>All figures</h2>
<pre>${escaped(report(outcome))}</pre>
<script type="application/json" id="plots">${JSON.stringify(plots).replaceAll('<', '\\u003c')}</script>
<script>${script}</script>
<script>${await own('plots.js')}</script>
</html>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

const PARTS = [
  ['payload', 'payload', '#999999'],
  ['envelope', 'envelope', '#56b4e9'],
  ['overhead', 'HTTP, lines, chunks, frames', '#e69f00'],
  ['tcpModelled', 'TCP/IP headers, modelled at MSS 1448', '#009e73'],
] as const

/** Stacked bars. */
function bars(summaries: readonly Summary[]): string {
  const sums = summaries.map(({ bytes }) => PARTS.reduce((sum, [key]) => sum + (bytes![key]?.value ?? 0), 0))
  const scale = 640 / Math.max(1, ...sums)
  const rows = summaries.map(({ variant, bytes }, row) => {
    let x = 120
    const rects = PARTS.map(([key, , color]) => {
      const width = Math.max(0, (bytes![key]?.value ?? 0) * scale)
      const rect = `<rect x="${x.toFixed(1)}" y="${row * 28}" width="${width.toFixed(1)}" height="20" fill="${color}"/>`
      x += width
      return rect
    })
    return `<text x="0" y="${row * 28 + 15}">${escaped(variant)}</text>${rects.join('')}<text x="${x + 6}" y="${row * 28 + 15}">${Math.round(sums[row]!)} bytes</text>`
  })
  const legend = PARTS.map(
    ([, name, color], i) =>
      `<rect x="${120 + (i % 2) * 330}" y="${summaries.length * 28 + 10 + Math.floor(i / 2) * 22}" width="14" height="14" fill="${color}"/><text x="${140 + (i % 2) * 330}" y="${summaries.length * 28 + 22 + Math.floor(i / 2) * 22}">${name}</text>`,
  )
  return `<svg viewBox="0 0 860 ${summaries.length * 28 + 60}" role="img" aria-label="Bytes a message">${rows.join('')}${legend.join('')}</svg>`
}

const GRID = { columns: 48, rows: 24, cell: 14 }

/** The map of the cheapest transport. */
function map(workload: Workload): string {
  const { columns, rows, cell } = GRID
  const cells: string[] = []
  for (let row = 0; row < rows; row++) {
    // From 100 s at the top to 10 ms.
    const delay = 10 ** (2 - (4 * row) / (rows - 1))
    for (let column = 0; column < columns; column++) {
      const rate = 10 ** (-3 + (6 * column) / (columns - 1))
      const variants = [
        pollVariant(Math.max(0.01, delay / 0.99)),
        ...(['longpoll', 'sse', 'ws'] as const).map((kind) => variantOf(kind)),
      ]
      const costs = variants.map((variant) =>
        bytesAt(variant, { ...workload, rate, payload: Math.max(LEAST_PAYLOAD, workload.payload) }),
      )
      const best = variants[costs.indexOf(Math.min(...costs))]!
      cells.push(
        `<rect x="${60 + column * cell}" y="${row * cell}" width="${cell}" height="${cell}" fill="${colorOf([best], best.name)}"/>`,
      )
    }
  }
  const bottom = rows * cell
  const across = [-3, -2, -1, 0, 1, 2, 3].map(
    (power) =>
      `<text x="${60 + ((power + 3) / 6) * (columns * cell - 30)}" y="${bottom + 16}">${10 ** power}</text>`,
  )
  const up = [2, 1, 0, -1, -2].map(
    (power) =>
      `<text x="0" y="${12 + ((2 - power) / 4) * (bottom - 14)}">${power >= 0 ? `${10 ** power} s` : `${1000 * 10 ** power} ms`}</text>`,
  )
  const legend = [pollVariant(1), variantOf('longpoll'), variantOf('sse'), variantOf('ws')].map(
    (variant, i) =>
      `<rect x="${60 + i * 130}" y="${bottom + 44}" width="14" height="14" fill="${colorOf([variant], variant.name)}"/><text x="${80 + i * 130}" y="${bottom + 56}">${variant.kind}</text>`,
  )
  return `<svg viewBox="0 0 760 ${bottom + 70}" role="img" aria-label="The cheapest transport">${cells.join('')}${across.join('')}${up.join('')}<text x="60" y="${bottom + 34}">messages/s to a subscriber; up: the delay that may be</text>${legend.join('')}</svg>`
}
