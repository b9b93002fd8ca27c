import { median, sorted } from '../fanout/median.ts'
import { show } from '../table.ts'

/** What several rounds have measured of one thing. */
export class Figures {
  readonly values: number[] = []

  add(value: number): void {
    this.values.push(value)
  }

  get median(): number {
    return median(this.values)
  }

  /** The median, with the least and the most. */
  get text(): string {
    const [least, most] = [sorted(this.values)[0]!, sorted(this.values).at(-1)!]
    return this.values.length === 1
      ? show(this.median)
      : `${show(this.median)} (${show(least)}–${show(most)})`
  }
}

/** The value below which a part of them lies. */
export function quantile(values: readonly number[], part: number): number {
  const order = sorted(values)
  return order[Math.min(order.length - 1, Math.floor(order.length * part))]!
}

/** One line of the table: what was measured, ours, what it is held against, and the aim. */
export interface Line {
  readonly what: string
  readonly ours: string
  readonly against?: string
  readonly ratio?: string
  /** What was to be reached, and whether it is. */
  readonly aim?: readonly [text: string, reached: boolean]
}

export function markdown(lines: readonly Line[]): string {
  const rows = lines.map(({ what, ours, against = '', ratio = '', aim }) => [
    what,
    ours,
    against,
    ratio,
    aim === undefined ? '' : `${aim[0]}: ${aim[1] ? 'yes' : '**no**'}`,
  ])
  return [['', 'ours', 'against', 'ratio', 'aim'], ['---', '---:', '---:', '---:', '---'], ...rows]
    .map((row) => `| ${row.join(' | ')} |\n`)
    .join('')
}
