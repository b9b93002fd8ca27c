import { channel } from 'node:diagnostics_channel'
import type { FastifyRequest } from 'fastify'
import type { Gap } from '../../bus/bound.ts'

/**
 * Why a reader is held no more. `answered`: a long poll has got its answer. `ended`: all of its channels have.
 * `client`: the client has gone. `closing`: the server goes away. `revoked`: its permission has run out, or it broke a
 * rule. `slow`: it did not keep up. `gap`: a raw socket met a hole.
 */
export type CloseReason = 'answered' | 'ended' | 'client' | 'closing' | 'revoked' | 'slow' | 'gap'

/** On `tidings.reader.open`. */
export interface ReaderOpen {
  readonly transport: string
  readonly request: FastifyRequest
}

/** On `tidings.reader.close`. */
export interface ReaderClose {
  readonly transport: string
  readonly reason: CloseReason
}

/** On `tidings.gap`: a hole was told. */
export interface GapTold {
  readonly transport: string
  readonly reason: Gap['reason']
  readonly cursor: string
}

/** On `tidings.refused`: no reader was held, or something was not permitted. */
export interface Refused {
  readonly code: string
  readonly request: FastifyRequest
}

const open = channel('tidings.reader.open')
const close = channel('tidings.reader.close')
const gap = channel('tidings.gap')
const refused = channel('tidings.refused')

// Without a subscriber they cost nothing.

export function readerOpened(transport: string, request: FastifyRequest): void {
  if (open.hasSubscribers) open.publish({ transport, request } satisfies ReaderOpen)
}

export function readerClosed(transport: string, reason: CloseReason): void {
  if (close.hasSubscribers) close.publish({ transport, reason } satisfies ReaderClose)
}

export function gapTold(transport: string, reason: Gap['reason'], cursor: string): void {
  if (gap.hasSubscribers) gap.publish({ transport, reason, cursor } satisfies GapTold)
}

export function wasRefused(code: string, request: FastifyRequest): void {
  if (refused.hasSubscribers) refused.publish({ code, request } satisfies Refused)
}
