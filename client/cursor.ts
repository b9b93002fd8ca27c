const CURSOR = /^[\w-]{4,32}\.(0|[1-9]\d{0,15})$/

export function isCursor(value: unknown): value is string {
  return typeof value === 'string' && CURSOR.test(value)
}

/** Whether a value is a valid start position. */
export function isStart(value: unknown): value is string {
  return isCursor(value) || /^(now|earliest|last:\d+|since:\d+)$/.test(value as string)
}

/** Whether a value is a valid channel name. */
export function isChannel(name: unknown): name is string {
  return typeof name === 'string' && /^[\w.:~-]{1,128}$/.test(name)
}

/** The distance between two cursors; NaN if their epochs differ: then only the server knows their order. */
export function order(place: string, other: string): number {
  const [epoch, seq] = place.split('.')
  const [otherEpoch, otherSeq] = other.split('.')
  return epoch === otherEpoch ? Number(seq) - Number(otherSeq) : Number.NaN
}
