/** A metric and its samples by label. */
export interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly samples: Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>
}

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
export const TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Writes the exposition text. Metrics without samples are omitted. */
export function textOf(metrics: Iterable<Metric>): string {
  let text = ''
  for (const { name, type, help, samples } of metrics) {
    let lines = ''
    for (const [labels, value] of samples) lines += `${name}${labelsOf(labels)} ${value}\n`
    if (lines !== '') text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines}`
  }
  return text
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join()}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
