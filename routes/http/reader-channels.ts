import { channel } from 'node:diagnostics_channel'
import type { FastifyRequest } from 'fastify'
import type { Gap } from '../../bus/bound.ts'

/**
 * Why a reader closed. `answered`: a long poll got its answer. `ended`: all channels have ended. `client`: the client
 * disconnected. `closing`: the server closes. `revoked`: its permission expired, or it violated a limit. `slow`: it did
 * not keep up. `gap`: a raw socket reached a gap.
 */
export type CloseReason = 'answered' | 'ended' | 'client' | 'closing' | 'revoked' | 'slow' | 'gap'

/** On `tidings.reader.open`. */
export interface ReaderOpen {
  readonly transport: string
  readonly request: FastifyRequest
  /** Identifies the reader in both of its events. */
  readonly reader: object
}

/** On `tidings.reader.close`. */
export interface ReaderClose {
  readonly transport: string
  readonly reason: CloseReason
  readonly reader: object
}

/** On `tidings.gap`: a gap was reported. */
export interface GapTold {
  readonly transport: string
  readonly reason: Gap['reason']
  readonly cursor: string
}

/** On `tidings.refused`: a reader was refused, or an operation was not permitted. */
export interface Refused {
  readonly code: string
  readonly request: FastifyRequest
}

const open = channel('tidings.reader.open')
const close = channel('tidings.reader.close')
const gap = channel('tidings.gap')
const refused = channel('tidings.refused')

// Free of cost without a subscriber.

export function readerOpened(transport: string, reader: object, request: FastifyRequest): void {
  if (open.hasSubscribers) open.publish({ transport, request, reader } satisfies ReaderOpen)
}

export function readerClosed(transport: string, reader: object, reason: CloseReason): void {
  if (close.hasSubscribers) close.publish({ transport, reason, reader } satisfies ReaderClose)
}

export function gapTold(transport: string, reason: Gap['reason'], cursor: string): void {
  if (gap.hasSubscribers) gap.publish({ transport, reason, cursor } satisfies GapTold)
}

export function wasRefused(code: string, request: FastifyRequest): void {
  if (refused.hasSubscribers) refused.publish({ code, request } satisfies Refused)
}
