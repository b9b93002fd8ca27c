import { isChannel, isStart } from './cursor.ts'
import { BACKOFF, NUMBERS } from './settings.ts'
import type { ConnectOptions, Transport } from './types.ts'

const TRANSPORTS: readonly Transport[] = ['ws', 'sse', 'longpoll', 'poll']

/** The other options, and their `typeof`. */
const KINDS: Record<string, string> = {
  backoff: 'object',
  request: 'object',
  storage: 'object',
  signal: 'object',
  onGap: 'function',
  getToken: 'function',
  fetch: 'function',
  WebSocket: 'function',
  EventSource: 'function',
}

/** Whether an option is valid, and the requirement for the error message. */
function rule(name: string, value: unknown, numbers: object): [ok: boolean, must: string] {
  if (name in numbers) return [typeof value === 'number' && value > 0, 'must be a number above 0']
  if (name in KINDS) return [typeof value === KINDS[name], `must be of type ${KINDS[name]}`]
  const list = Array.isArray(value) && value.length <= 32 ? value : undefined
  if (name === 'channels') return [!!list?.every(isChannel), 'must be a list of up to 32 channel names']
  if (name === 'transports')
    return [!!list?.every((each) => TRANSPORTS.includes(each)), `must be a list of ${TRANSPORTS}`]
  if (name === 'cursor') return [isStart(value), "must be a cursor, 'earliest' or 'now'"]
  return [name === 'ack' && /^(auto|manual)$/.test(value as string), "is unknown, or not 'auto' or 'manual'"]
}

/** @throws TypeError that names an unknown or invalid option */
export function check(options: ConnectOptions): void {
  each(options, NUMBERS)
  each(options.backoff ?? {}, BACKOFF)
}

function each(options: object, numbers: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (value == null) continue
    const [ok, must] = rule(name, value, numbers)
    if (!ok) throw new TypeError(`Option '${name}' ${must}`)
  }
}
