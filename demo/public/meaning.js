import { frameOf, headOf, latin1, utf8 } from './bytes.js'
import { EventStream } from './event-stream.js'
import { parsePrefix } from './json-prefix.js'

/**
 * What an arrow does, according to its bytes and the protocol.
 *
 * @typedef {object} Meaning
 * @property {string} act one of ACTS
 * @property {string} [news] what it carries, in short: the data of its first message, a status, a close code
 * @property {number} [count] messages in it
 * @property {boolean} [more] whether there may be more messages than are seen
 * @property {number} [time] when the bus accepted the first of them, milliseconds since 1970
 */

/** Everything that an arrow can do. Each has a text. */
export const ACTS = [
  'ask',
  'hold',
  'listen',
  'switch',
  'publish',
  'request',
  'no',
  'yes',
  'several',
  'gap',
  'ended',
  'refused',
  'answer',
  'stream',
  'switched',
  'ready',
  'push',
  'pushes',
  'part',
  'alive',
  'retry',
  'end',
  'ping',
  'pong',
  'bye',
  'frame',
  'subscribe',
  'subscribed',
  'unsubscribe',
  'unsubscribed',
  'published',
  'error',
]

/** Frame types with texts of their own. `ping` and `pong` are those of the application protocol. */
const FRAMES = [
  'ready',
  'ping',
  'pong',
  'subscribe',
  'subscribed',
  'unsubscribe',
  'unsubscribed',
  'published',
  'error',
]

/** Maximum characters of a message on an arrow. */
const SHOWN = 60

/** The state of one connection: its last request, and its event stream. */
export class Conversation {
  #stream = new EventStream()

  /**
   * @param {{ direction: 'up' | 'down', kind: string, parts: { size: number, bytes: Uint8Array }[] }} arrow
   * @returns {Meaning}
   */
  read({ direction, kind, parts }) {
    const [first, body] = parts
    if (kind === 'upgrade') return { act: direction === 'up' ? 'switch' : 'switched' }
    if (kind === 'frame') return frameAct(first, direction)
    if (kind === 'chunk') return this.#chunk(first)
    if (direction === 'up') return questionAct(latin1(first.bytes))
    this.#stream = new EventStream()
    return answerAct(latin1(first.bytes), body)
  }

  /** A chunk: its length in hexadecimal digits, a line end, its data, and a line end (RFC 9112 section 7.1). */
  #chunk({ size, bytes }) {
    const start = bytes.indexOf(10) + 1
    const cut = size > bytes.length
    const data = bytes.subarray(start, cut ? undefined : bytes.length - 2)
    if (data.length === 0) return { act: 'end' }
    const { events, comment, pending } = this.#stream.feed(utf8(data), cut)
    const others = events.filter(({ type }) => type !== 'message')
    const messages = events
      .filter(({ type }) => type === 'message')
      .map(({ data }) => parsePrefix(data).value)
    if (messages.length > 0) return told('push', 'pushes', messages, cut)
    if (others.length > 0) return eventAct(others[0])
    if (pending) return { act: 'part' }
    return { act: comment ? 'alive' : 'retry' }
  }
}

function questionAct(head) {
  const [method, target = ''] = headOf(head).first.split(' ')
  const [path, query] = target.split('?', 2)
  const route = path.slice(path.lastIndexOf('/') + 1)
  if (method === 'POST' && route === 'publish') return { act: 'publish' }
  if (route === 'sse') return { act: 'listen' }
  if (route === 'poll') return { act: 'ask' }
  if (route !== 'longpoll') return { act: 'request' }
  const wait = Number(new URLSearchParams(query).get('wait') ?? 0)
  return wait > 0 ? { act: 'hold', news: `${wait}` } : { act: 'ask' }
}

function answerAct(head, body) {
  const { headers, status } = headOf(head)
  if (status === 204 || status === 304) return { act: 'no' }
  if (status === 410) return { act: 'gap', news: headers['tidings-gap'] ?? '' }
  if (status >= 400 || headers['tidings-refused']) {
    return { act: 'refused', news: headers['tidings-refused'] ?? `${status}` }
  }
  if (headers['content-type']?.startsWith('text/event-stream')) return { act: 'stream' }
  const { value } = body ? parsePrefix(utf8(body.bytes)) : {}
  if (!Array.isArray(value?.messages)) return { act: 'answer', news: `${status}` }
  if (value.messages.length > 0) {
    return told('yes', 'several', value.messages, body.size > body.bytes.length)
  }
  return value.ended?.length > 0 ? { act: 'ended', news: value.ended.join(', ') } : { act: 'no' }
}

function eventAct({ type, data }) {
  const { value } = parsePrefix(data)
  if (type === 'ready') return { act: 'ready' }
  if (type === 'gap') return { act: 'gap', news: `${value?.reason ?? ''}` }
  if (type === 'end') return { act: 'ended', news: `${value?.channel ?? ''}` }
  return { act: 'part' }
}

function frameAct({ bytes, size }, direction) {
  const { opcode, payload, header, length } = frameOf(bytes)
  if (opcode === 8) return { act: 'bye', news: payload.length > 1 ? `${payload[0] * 256 + payload[1]}` : '' }
  if (opcode > 8) return { act: opcode === 9 ? 'ping' : 'pong' }
  if (opcode !== 1) return { act: 'frame' }
  const { value } = parsePrefix(utf8(payload))
  if (typeof value !== 'object' || value === null) return { act: 'frame' }
  // Envelopes have no type.
  if (value.type === undefined) {
    if (direction === 'up' || value.cursor === undefined) return { act: 'frame' }
    return told('push', 'push', [value], size < header + length)
  }
  if (value.type === 'gap') return { act: 'gap', news: `${value.reason ?? ''}` }
  if (value.type === 'end') return { act: 'ended', news: `${value.channel ?? ''}` }
  if (value.type === 'publish') return { act: 'publish', news: newsOf(value) }
  if (value.type === 'error') return { act: 'error', news: `${value.message ?? ''}` }
  return { act: FRAMES.includes(value.type) ? value.type : 'frame' }
}

function told(one, several, messages, more) {
  const [first] = messages
  const { time } = first ?? {}
  return {
    act: messages.length > 1 ? several : one,
    news: newsOf(first),
    count: messages.length,
    more,
    time: Number.isFinite(time) ? time : undefined,
  }
}

/** The data of a message, in short. @param {{ data?: unknown } | undefined} message */
export function newsOf(message) {
  const data = message?.data
  const text = typeof data === 'string' ? data : (JSON.stringify(data) ?? '')
  // Messages published at a rate are padded to their size.
  const said = /^#\d+ \. \./.test(text) ? text.replace(/(?: \.)+ ?$/, ' …') : text
  const characters = [...said]
  return characters.length > SHOWN ? `${characters.slice(0, SHOWN - 1).join('')}…` : said
}
