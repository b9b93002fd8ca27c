import type { Transport } from 'fastify-tidings'

/** A command that the page can send over the feed. */
export type Control =
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'follow'; readonly channel: string }
  | { readonly type: 'delay'; readonly ms: number }
  | { readonly type: 'cut' | 'restore'; readonly lane: string }
  | { readonly type: 'rate'; readonly rate: number; readonly size: number }
  | { readonly type: 'crowd'; readonly transport: Transport; readonly count: number }
  | { readonly type: 'restart' }

/** A valid channel name. */
export const CHANNEL = /^[A-Za-z0-9_.:~-]{1,128}$/

const TRANSPORTS = ['poll', 'longpoll', 'sse', 'ws']

/** Upper limits. */
export const LIMITS = { delay: 2000, rate: 50, size: 16_384, crowd: 200 } as const

/** @throws an error that describes the invalid field */
export function parseControl(text: string): Control {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    throw new Error('the control is not JSON')
  }
  if (typeof given !== 'object' || given === null) throw new Error('the control is not an object')
  const control = given as Record<string, unknown>
  switch (control.type) {
    case 'restart':
      return { type: 'restart' }
    case 'ping':
      return { type: 'ping', id: number(control, 'id', Number.MAX_SAFE_INTEGER) }
    case 'follow':
      if (typeof control.channel !== 'string' || !CHANNEL.test(control.channel)) {
        throw new Error('the channel is invalid')
      }
      return { type: 'follow', channel: control.channel }
    case 'delay':
      return { type: 'delay', ms: number(control, 'ms', LIMITS.delay) }
    case 'cut':
    case 'restore':
      return { type: control.type, lane: String(control.lane) }
    case 'rate':
      return {
        type: 'rate',
        rate: number(control, 'rate', LIMITS.rate),
        size: number(control, 'size', LIMITS.size),
      }
    case 'crowd':
      if (!TRANSPORTS.includes(control.transport as string)) throw new Error('the transport is unknown')
      return {
        type: 'crowd',
        transport: control.transport as Transport,
        count: Math.floor(number(control, 'count', LIMITS.crowd)),
      }
    default:
      throw new Error('the type is unknown')
  }
}

function number(control: Record<string, unknown>, name: string, most: number): number {
  const value = control[name]
  if (typeof value !== 'number' || !(value >= 0 && value <= most)) {
    throw new Error(`'${name}' must be a number from 0 to ${most}`)
  }
  return value
}
