import { readFile } from 'node:fs/promises'
import { coefficientsOf, isWhole, PRICES } from './advice.ts'
import { chartWorkloadOf, cheapestChart } from './cheapest-chart.ts'
import { overviewText } from './overview.ts'
import { plotsOf } from './plots.ts'
import { report } from './report.ts'
import { type Outcome, passed } from './run.ts'
import { type Summary, summariesOf } from './summary.ts'
import { uplotFiles } from './uplot.ts'

/** Renders the outcome as a self-contained HTML page. */
export async function htmlReport(outcome: Outcome): Promise<string> {
  const [script, style] = await uplotFiles()
  const own = (name: string) => readFile(new URL(`./page/${name}`, import.meta.url), 'utf8')
  const plots = plotsOf(outcome)
  const { settings } = outcome
  const all = summariesOf(outcome)
  const coefficients = coefficientsOf(outcome)
  const priced = isWhole(coefficients)
  const summaries = all.filter(
    ({ section, bytes, variant }) =>
      section === 'headline' && bytes !== null && settings.variants.some(({ name }) => name === variant),
  )
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>fastify-tidings: the cost of each transport</title>
<style>${style}${await own('page.css')}</style>
<h1>The cost of each transport</h1>
${passed(outcome) ? '' : '<p class="fail">This run is not valid. Do not cite its figures.</p>'}
${outcome.partial ? '<p class="fail">This run was interrupted. It is partial.</p>' : ''}
<pre>${escaped(overviewText(outcome))}</pre>
${plots
  .map(({ id, title, note }) => `<h2>${escaped(title)}</h2><p>${escaped(note)}</p><div id="${id}"></div>`)
  .join('\n')}
<h2>Bytes per message, both directions</h2>
<div class="wide">${bars(summaries)}</div>
<h2>The cheapest transport</h2>
<p>By message rate and maximum p99 latency, with a round trip of ${chartWorkloadOf(settings.workload).rtt} ms. ${priced ? `Lowest price per month: ${PRICES.gigabyte} US dollars per GB of egress, from the model with the headers of a browser, plus ${PRICES.core} per core, from the CPU measured on a warmed-up server with ${settings.workload.subscribers} subscribers.` : 'Fewest bytes, from the model with the headers of a browser. This run did not measure the CPU of a warmed-up server.'} The polling interval is the longest between 100 ms and 60 s that meets the latency. In blank areas, no transport meets it.</p>
<div class="wide">${cheapestChart(settings.workload, priced ? coefficients : undefined)}</div>
<details><summary>All figures</summary>
<pre>${escaped(report(outcome))}</pre></details>
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
  ['overhead', 'HTTP headers, event lines, chunks, frames', '#e69f00'],
  ['tcpModelled', 'TCP/IP headers, modelled at MSS 1448', '#009e73'],
] as const

function bars(summaries: readonly Summary[]): string {
  const sums = summaries.map(({ bytes }) => PARTS.reduce((sum, [key]) => sum + bytes![key]!.value, 0))
  const scale = 640 / Math.max(1, ...sums)
  const rows = summaries.map(({ variant, bytes }, row) => {
    let x = 120
    const rects = PARTS.map(([key, , color]) => {
      const width = bytes![key]!.value * scale
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
  return `<svg viewBox="0 0 860 ${summaries.length * 28 + 60}" role="img" aria-label="Bytes per message">${rows.join('')}${legend.join('')}</svg>`
}
