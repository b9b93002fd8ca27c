import { median, sorted } from '../fanout/median.ts'
import { show } from '../table.ts'

/** Values of one figure from several rounds. */
export class Figures {
  readonly values: number[] = []

  add(value: number): void {
    this.values.push(value)
  }

  get median(): number {
    return median(this.values)
  }

  /** The median with minimum and maximum. */
  get text(): string {
    const [least, most] = [sorted(this.values)[0]!, sorted(this.values).at(-1)!]
    return this.values.length === 1
      ? show(this.median)
      : `${show(this.median)} (${show(least)}–${show(most)})`
  }
}

/** Returns a quantile. @param part from 0 to 1 */
export function quantile(values: readonly number[], part: number): number {
  const order = sorted(values)
  return order[Math.min(order.length - 1, Math.floor(order.length * part))]!
}

/** A row of the table: the figure, its value, the value it is compared with, and the target. */
export interface Row {
  readonly what: string
  readonly ours: string
  readonly against?: string
  readonly ratio?: string
  /** The target, and whether it is met. */
  readonly target?: readonly [text: string, reached: boolean]
}

export function markdown(lines: readonly Row[]): string {
  const rows = lines.map(({ what, ours, against = '', ratio = '', target }) => [
    what,
    ours,
    against,
    ratio,
    target === undefined ? '' : `${target[0]}: ${target[1] ? 'yes' : '**no**'}`,
  ])
  return [['', 'plugin', 'reference', 'ratio', 'target'], ['---', '---:', '---:', '---:', '---'], ...rows]
    .map((row) => `| ${row.join(' | ')} |\n`)
    .join('')
}
