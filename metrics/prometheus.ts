import type { HistogramMetric, Metric } from './metric.ts'

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
export const TYPE = 'text/plain; version=0.0.4; charset=utf-8'

type Labels = Readonly<Record<string, string>>

/** Writes the exposition text. Metrics without samples are omitted. */
export function textOf(metrics: Iterable<Metric>, histograms: Iterable<HistogramMetric> = []): string {
  let text = ''
  for (const { name, unit, type, help, samples } of metrics) {
    const full = `${nameOf(name, unit)}${type === 'counter' ? '_total' : ''}`
    let lines = ''
    for (const [labels, value] of samples) lines += `${full}${labelsOf(labels)} ${value}\n`
    if (lines !== '') text += `${headOf(full, help, type === 'counter' ? 'counter' : 'gauge')}${lines}`
  }
  for (const { name, unit, help, histogram } of histograms) {
    const full = nameOf(name, unit)
    let lines = ''
    for (const { labels, counts, sum, count } of histogram) {
      let below = 0
      for (const [i, le] of [...histogram.bounds, '+Inf'].entries()) {
        below += counts[i]!
        lines += `${full}_bucket${labelsOf({ ...labels, le: `${le}` })} ${below}\n`
      }
      lines += `${full}_sum${labelsOf(labels)} ${sum}\n${full}_count${labelsOf(labels)} ${count}\n`
    }
    if (lines !== '') text += `${headOf(full, help, 'histogram')}${lines}`
  }
  return text
}

/** The base unit is part of the name. */
function nameOf(name: string, unit: string): string {
  return `tidings_${name.replaceAll('.', '_')}${unit === 's' ? '_seconds' : ''}`
}

function headOf(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
}

function labelsOf(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join()}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
