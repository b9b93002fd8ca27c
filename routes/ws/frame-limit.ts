/**
 * Maximum bytes of a client's frame: JSON may encode one byte of a payload as six (`\u0001`), and the other members
 * need room.
 */
export function maxFrame(payloadLimit: number): number {
  return 6 * payloadLimit + 4096
}
