/**
 * The largest frame of a client, in bytes: JSON may write one byte of a payload as six, `\u0001`, and the other
 * members want room.
 */
export function maxFrame(payloadLimit: number): number {
  return 6 * payloadLimit + 4096
}
