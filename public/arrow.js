import { bytesOf, frameOf, headOf, latin1, utf8 } from './bytes.js'
import { t } from './i18n.js'

/**
 * What one arrow stands for: a head with its body, a chunk, or a frame.
 *
 * @typedef {object} Arrow
 * @property {'up' | 'down'} direction
 * @property {string} kind
 * @property {number} connection
 * @property {number} exchange
 * @property {number} at milliseconds since 1970, of the server's clock
 * @property {number} delay milliseconds that were added
 * @property {number} size
 * @property {{ kind: string, size: number, bytes: Uint8Array }[]} parts
 * @property {string} act what it does: `ask`, `hold`, `no`, `yes` …
 * @property {string} news the message that it carries
 * @property {number} [took] milliseconds since its question
 */

/** Makes arrows of the pieces of one lane: an answer's head and its body are one. */
export class Arrows {
  #open = new Map()
  #asked = new Map()

  /**
   * @param {object} piece as the tap tells it
   * @returns {Arrow | undefined} none while its body is not there
   */
  take(piece) {
    const { connection, kind, exchange, direction } = piece
    if (kind === 'open' || kind === 'close') {
      if (kind === 'close') this.#asked.delete(connection)
      return undefined
    }
    const part = { kind, size: piece.size, bytes: bytesOf(piece.bytes) }
    const key = `${connection} ${direction}`
    const open = this.#open.get(key)
    if (kind === 'body' && open) {
      this.#open.delete(key)
      open.parts.push(part)
      open.size += part.size
      return this.#read(open)
    }
    const arrow = { ...piece, parts: [part], bytes: undefined }
    if (direction === 'up' && kind !== 'frame') this.#asked.set(connection, piece.at)
    if (direction === 'down' && kind !== 'chunk' && kind !== 'frame') {
      arrow.took = piece.at - (this.#asked.get(connection) ?? piece.at)
    }
    if (kind === 'request' || kind === 'response') {
      const { headers, status } = headOf(latin1(part.bytes))
      const length = Number(headers['content-length'] ?? 0)
      if (length > 0 && status !== 204 && status !== 304) {
        this.#open.set(key, { ...arrow, exchange })
        return undefined
      }
    }
    return this.#read(arrow)
  }

  #read(arrow) {
    return Object.assign(arrow, actOf(arrow))
  }
}

/** What an arrow does, by its bytes. */
function actOf({ direction, kind, parts }) {
  const text = kind === 'frame' ? '' : latin1(parts[0].bytes)
  if (kind === 'frame') return frameAct(frameOf(parts[0].bytes), direction)
  if (kind === 'chunk') return eventAct(utf8(parts[0].bytes), isCut(parts[0]))
  if (kind === 'upgrade') return { act: direction === 'up' ? 'switch' : 'switched', news: '' }
  const { first, status } = headOf(text)
  if (direction === 'up') {
    const wait = Number(/[?&]wait=(\d+)/.exec(first)?.[1] ?? 0)
    if (first.includes('/sse')) return { act: 'listen', news: '' }
    return wait > 0 ? { act: 'hold', news: `${wait}` } : { act: 'ask', news: '' }
  }
  if (status === 204 || status === 304) return { act: 'no', news: '' }
  if (status === 410) return { act: 'gap', news: headOf(text).headers['tidings-gap'] ?? '' }
  if (status !== 200) return { act: 'refused', news: `${status}` }
  if (parts.length === 1) return { act: 'stream', news: '' }
  return pageAct(utf8(parts[1].bytes), isCut(parts[1]))
}

/** Only its first bytes are there. */
function isCut({ size, bytes }) {
  return size > bytes.length
}

function pageAct(text, cut) {
  if (/^\{"cursor":"[^"]*","messages":\[\]/.test(text)) return { act: 'no', news: '' }
  const count = text.split(/\{"cursor":"[^"]+","channel":/).length - 1
  return { act: count > 1 ? 'several' : 'yes', news: newsOf(text), count: counted(count, cut) }
}

function eventAct(text, cut) {
  if (text.includes('event: ready')) return { act: 'ready', news: '' }
  if (text.includes('event: gap')) return { act: 'gap', news: /"reason":"(\w+)"/.exec(text)?.[1] ?? '' }
  const count = text.split('\ndata: ').length - 1
  if (count > 0) {
    return { act: count > 1 ? 'pushes' : 'push', news: newsOf(text), count: counted(count, cut) }
  }
  if (/^0\r\n/.test(text)) return { act: 'end', news: '' }
  return { act: 'alive', news: '' }
}

function counted(count, cut) {
  return cut ? `≥ ${count}` : `${count}`
}

function frameAct({ opcode, payload }, direction) {
  if (opcode === 8) return { act: 'bye', news: payload.length > 1 ? `${payload[0] * 256 + payload[1]}` : '' }
  if (opcode > 8) return { act: opcode === 9 ? 'ping' : 'pong', news: '' }
  const text = utf8(payload)
  const type = /^\{"type":"(\w+)"/.exec(text)?.[1]
  if (type === undefined) return { act: direction === 'up' ? 'frame' : 'push', news: newsOf(text) }
  const known = ['ready', 'ping', 'pong', 'gap', 'subscribe', 'subscribed']
  const reason = /"reason":"(\w+)"/.exec(text)?.[1] ?? ''
  return { act: known.includes(type) ? type : 'frame', news: type === 'gap' ? reason : '' }
}

/** The data of the first message in it; its first bytes are all that is there. */
function newsOf(text) {
  const [, data = ''] = /"data":("(?:[^"\\]|\\.)*"?|[^}\]\n]*)/.exec(text) ?? []
  let said = data
  try {
    said = JSON.parse(data)
  } catch {
    // Cut off: as it stands.
  }
  said = typeof said === 'string' ? said : JSON.stringify(said)
  // What a text was filled up with says nothing.
  said = said.replace(/(?: \.){4}.*/s, ' …')
  return said.length > 60 ? `${said.slice(0, 59)}…` : said
}

/** What it says, in words. @param {Arrow} arrow */
export function wordsOf({ act, news, count = 0 }) {
  return t(`say.${act}`, { news, count })
}
