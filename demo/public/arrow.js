import { bytesOf, headOf, latin1, sizeText, timeText } from './bytes.js'
import { t } from './i18n.js'
import { Conversation } from './meaning.js'

/**
 * An arrow of the diagram: a head with its body, a chunk, or a frame.
 *
 * @typedef {object} ArrowBase
 * @property {'up' | 'down'} direction
 * @property {string} kind
 * @property {number} connection
 * @property {number} exchange
 * @property {number} at milliseconds since 1970, of the server's clock: when it left one end
 * @property {number} delay milliseconds that were added
 * @property {number} size
 * @property {{ kind: string, size: number, bytes: Uint8Array }[]} parts
 * @property {number} [age] milliseconds from the acceptance of its first message until the browser has it
 * @property {number} [held] milliseconds for which the server kept the request, of an answer
 * @property {boolean} [waits] whether that request had asked to be held
 * @property {number} [several] how many arrows it stands for, where it is more than one
 *
 * @typedef {ArrowBase & import('./meaning.js').Meaning} Arrow
 */

/** The state of one connection of a lane. */
class Connection {
  conversation = new Conversation()
  /** Heads that wait for their bodies, by direction. */
  open = {}
  /** The last request: when it arrived, and whether it may be held. */
  asked
}

/** Combines the pieces of a lane into arrows. A head and its body form one arrow. */
export class Arrows {
  /** @type {Map<number, Connection>} */
  #connections = new Map()

  /**
   * @param {import('../page-types.d.ts').Piece} piece
   * @returns {Arrow | undefined} none while its body is not there
   */
  take(piece) {
    const { kind, direction } = piece
    if (kind === 'close') this.#connections.delete(piece.connection)
    if (kind === 'open' || kind === 'close') return undefined
    const connection = this.#of(piece.connection)
    const part = { kind, size: piece.size, bytes: bytesOf(piece.bytes) }
    const open = connection.open[direction]
    if (kind === 'body' && open) {
      delete connection.open[direction]
      open.parts.push(part)
      open.size += part.size
      return finish(open, connection)
    }
    const { bytes, ...rest } = piece
    /** @type {Partial<Arrow>} */
    const arrow = { ...rest, parts: [part] }
    if (direction === 'down' && (kind === 'response' || kind === 'upgrade') && connection.asked) {
      arrow.held = Math.max(0, piece.at - connection.asked.at)
      arrow.waits = connection.asked.waits
    }
    if (kind === 'request' || kind === 'response') {
      const { headers, status } = headOf(latin1(part.bytes))
      if (Number(headers['content-length'] ?? 0) > 0 && status !== 204 && status !== 304) {
        connection.open[direction] = arrow
        return undefined
      }
    }
    return finish(arrow, connection)
  }

  /** The server has reset the lane, and numbers its connections from 1 again. */
  clear() {
    this.#connections.clear()
  }

  #of(number) {
    let connection = this.#connections.get(number)
    if (connection === undefined) {
      connection = new Connection()
      this.#connections.set(number, connection)
    }
    return connection
  }
}

function finish(arrow, connection) {
  Object.assign(arrow, connection.conversation.read(arrow))
  const { direction, kind, at, delay, time } = arrow
  if (direction === 'up' && kind !== 'frame') {
    connection.asked = { at: at + delay, waits: arrow.act === 'hold' }
  }
  if (time !== undefined) arrow.age = Math.max(0, at + delay - time)
  return arrow
}

/** What it says, in words. @param {Arrow} arrow */
export function wordsOf({ act, news = '', count = 0, more = false }) {
  if (act === 'gap')
    return t(['epoch', 'trimmed', 'ahead'].includes(news) ? `diagram.gap.${news}` : 'say.gap')
  return t(`say.${act}`, { news, count: more ? `≥ ${count}` : count })
}

/**
 * Returns the costs of an arrow: its bytes, the age of its message, and how long its request was held.
 * @param {Partial<Arrow>} arrow
 */
export function costsOf({ size, age, count = 0, more, several = 1, held, waits, delay = 0 }) {
  const costs = size === undefined ? [] : [sizeText(size)]
  if (age !== undefined) {
    const first = count > 1 || more || several > 1
    costs.push(t(first ? 'diagram.age.first' : 'diagram.age', { time: timeText(age) }))
  }
  if (held !== undefined) costs.push(t(waits ? 'diagram.held' : 'diagram.took', { time: timeText(held) }))
  if (delay > 0) costs.push(t('diagram.delay', { time: timeText(delay) }))
  return costs
}
