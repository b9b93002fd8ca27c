/** Renders a table with box-drawing characters. The first column is left-aligned, all others are right-aligned. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)))
  const bar = (left: string, middle: string, right: string) =>
    left + widths.map((width) => '─'.repeat(width + 2)).join(middle) + right
  const line = (row: readonly string[]) =>
    `│${row.map((cell, column) => ` ${column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)} `).join('│')}│`
  const between = bar('├', '┼', '┤')
  return [
    bar('┌', '┬', '┐'),
    line(head),
    ...rows.flatMap((row) => [between, line(row)]),
    bar('└', '┴', '┘'),
    '',
  ].join('\n')
}

/** Formats a number with at least three significant digits. A missing number is a dash. */
export function show(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size < 0.001) return value.toExponential(1)
  return size >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)
}

/** A count with its words, which are singular for one. */
export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}
