import type { Message, Transport } from '../types.ts'

/** State of the leader's connection. */
export interface State {
  /** Id of the leading tab. */
  readonly leader: string
  /** Cursor of the last item that it forwarded, or its start position. From there on, a tab misses nothing. */
  readonly after: string | undefined
  /** Everything up to this cursor has been passed on. */
  readonly place: string | undefined
  readonly open: boolean
  /** Reason for a final refusal. */
  readonly refused: string | undefined
  readonly transport: Transport
}

/** Messages between tabs. Frames have the format of /ws. */
export type TabMessage =
  /** A tab has joined, or checks that the leader is alive. */
  | { readonly type: 'hello' }
  /** The leader's state. @param elected whether the tab has just become the leader */
  | ({ readonly type: 'state'; readonly elected: boolean } & State)
  /** A message, a gap or an end that directly follows `after`. */
  | {
      readonly type: 'item'
      readonly leader: string
      readonly after: string | undefined
      readonly cursor: string
      readonly frame: string
    }
  /** The connection has failed. */
  | { readonly type: 'down'; readonly leader: string; readonly reason: string }
  /** The tab no longer leads. */
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

/** Parses a cursor. */
export function placeOf(cursor: string | undefined): { epoch: string; seq: number } | undefined {
  const [epoch, seq] = cursor?.split('.') ?? []
  return seq === undefined ? undefined : { epoch: epoch!, seq: Number(seq) }
}

/** Whether a cursor equals or follows another one of the same epoch. */
export function reaches(cursor: string | undefined, other: string | undefined): boolean {
  const [a, b] = [placeOf(cursor), placeOf(other)]
  return !!a && a.epoch === b?.epoch && a.seq >= b.seq
}

/** The wire format of a message. */
export function frameOf({ cursor, channel, time, data }: Message): string {
  return JSON.stringify({ cursor, channel, time, ...encoded(data) })
}

/** The wire format of data. */
export function encoded(data: unknown): object {
  if (!(data instanceof Uint8Array)) return { data }
  return { data: btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join('')), encoding: 'base64' }
}
