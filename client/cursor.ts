const CURSOR = /^[\w-]{4,32}\.(0|[1-9]\d{0,15})$/

export function isCursor(value: unknown): value is string {
  return typeof value === 'string' && CURSOR.test(value)
}

/** Where a reader may begin. */
export function isStart(value: unknown): value is string {
  return isCursor(value) || /^(now|earliest|last:\d+|since:\d+)$/.test(value as string)
}

/** Whether it can name a channel. */
export function isChannel(name: unknown): name is string {
  return typeof name === 'string' && /^[\w.:~-]{1,128}$/.test(name)
}

/** How far one place is behind another; NaN where their epochs differ: then only the server can tell. */
export function order(place: string, other: string): number {
  const [epoch, seq] = place.split('.')
  const [otherEpoch, otherSeq] = other.split('.')
  return epoch === otherEpoch ? Number(seq) - Number(otherSeq) : Number.NaN
}
