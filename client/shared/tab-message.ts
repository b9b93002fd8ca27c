import type { Message, Transport } from '../types.ts'

/** Where the leader's one connection is. */
export interface State {
  /** The leading tab. */
  readonly leader: string
  /** The last item that it has passed on, or where it began. A tab that has come so far misses nothing of what follows. */
  readonly after: string | undefined
  /** All up to here has been passed on. */
  readonly place: string | undefined
  readonly open: boolean
  /** Why the log refuses us for good. */
  readonly refused: string | undefined
  readonly transport: Transport
}

/** What tabs tell each other. Frames are those of a WebSocket of the server. */
export type TabMessage =
  /** A tab has come, or asks whether the leader lives. */
  | { readonly type: 'hello' }
  /** The leader's answer. @param elected whether it has just become the leader */
  | ({ readonly type: 'state'; readonly elected: boolean } & State)
  /** A message, a gap or an end. Between `after` and it nothing stands. */
  | {
      readonly type: 'item'
      readonly leader: string
      readonly after: string | undefined
      readonly cursor: string
      readonly frame: string
    }
  /** The connection has failed. */
  | { readonly type: 'down'; readonly leader: string; readonly reason: string }
  /** The leader leads no more. */
  | { readonly type: 'gone'; readonly leader: string }
  | {
      readonly type: 'publish'
      readonly leader: string
      readonly socket: string
      readonly frame: PublishFrame
    }
  | { readonly type: 'answer'; readonly leader: string; readonly socket: string; readonly frame: string }
  | {
      readonly type: 'switch'
      readonly leader: string
      readonly socket: string
      readonly transport: Transport
    }

export interface PublishFrame {
  readonly type: string
  readonly channel: string
  readonly data: unknown
  readonly encoding?: string
  readonly key?: string
  readonly end?: boolean
  readonly ref?: number
}

/** A place of the log, to be compared within its epoch. */
export function placeOf(cursor: string | undefined): { epoch: string; seq: number } | undefined {
  const [epoch, seq] = cursor?.split('.') ?? []
  return seq === undefined ? undefined : { epoch: epoch!, seq: Number(seq) }
}

/** Whether one place is another, or comes after it, in one epoch. */
export function reaches(cursor: string | undefined, other: string | undefined): boolean {
  const [a, b] = [placeOf(cursor), placeOf(other)]
  return !!a && a.epoch === b?.epoch && a.seq >= b.seq
}

/** A message as the server writes it. */
export function frameOf({ cursor, channel, time, data }: Message): string {
  return JSON.stringify({ cursor, channel, time, ...encoded(data) })
}

/** Data as an envelope carries it. */
export function encoded(data: unknown): object {
  if (!(data instanceof Uint8Array)) return { data }
  return { data: btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join('')), encoding: 'base64' }
}
