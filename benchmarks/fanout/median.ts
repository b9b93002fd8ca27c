export function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b)
}

export function median(values: readonly number[]): number {
  const order = sorted(values)
  return (order[(order.length - 1) >> 1]! + order[order.length >> 1]!) / 2
}
