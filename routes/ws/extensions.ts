import { ERR_WS_EXTENSIONS } from '../../bus/errors.ts'
import { WINDOW_BITS } from '../http/compressor.ts'

/** One extension that is offered: its name, and its parameters as they stand. */
interface Offer {
  readonly name: string
  readonly parameters: readonly (readonly [name: string, value: string | undefined])[]
}

const NAME = /[ \t]*([\w!#$%&'*+.^`|~-]+)[ \t]*/y
/** A value in quotes must be a token behind its escapes. */
const PARAMETER =
  /;[ \t]*([\w!#$%&'*+.^`|~-]+)[ \t]*(?:=[ \t]*(?:([\w!#$%&'*+.^`|~-]+)|"((?:\\?[\w!#$%&'*+.^`|~-])+)")[ \t]*)?/y
/** Elements of a list may be empty (RFC 2616 section 2.1). */
const COMMAS = /[ \t]*(?:,[ \t]*)+/y

/**
 * What a `Sec-WebSocket-Extensions` offers, the first choice first.
 * @throws TIDINGS_ERR_WS_EXTENSIONS where it is malformed (RFC 6455 section 9.1)
 */
function parseOffers(header: string): Offer[] {
  let at = 0
  const next = (expression: RegExp) => {
    expression.lastIndex = at
    const found = expression.exec(header)
    if (found !== null) at = expression.lastIndex
    return found
  }
  const offers: Offer[] = []
  next(COMMAS)
  do {
    const name = next(NAME)?.[1]
    if (name === undefined) throw new ERR_WS_EXTENSIONS()
    const parameters: [string, string | undefined][] = []
    for (let found = next(PARAMETER); found !== null; found = next(PARAMETER)) {
      parameters.push([found[1]!, found[2] ?? found[3]?.replaceAll('\\', '')])
    }
    offers.push({ name, parameters })
  } while (next(COMMAS) !== null && at < header.length)
  if (at < header.length) throw new ERR_WS_EXTENSIONS()
  return offers
}

/** Eight to fifteen, without a zero before it (RFC 7692 section 7.1.2). */
const BITS = /^(?:[89]|1[0-5])$/

/** Whether an offer of permessage-deflate can be taken; one with what the RFC does not know must not be. */
function isAcceptable({ parameters }: Offer): boolean {
  return (
    new Set(parameters.map(([name]) => name)).size === parameters.length &&
    parameters.every(([name, value]) => {
      switch (name) {
        case 'server_no_context_takeover':
        case 'client_no_context_takeover':
          return value === undefined
        case 'client_max_window_bits':
          return value === undefined || BITS.test(value)
        // One compressor serves all: a smaller window it has not.
        case 'server_max_window_bits':
          return value !== undefined && BITS.test(value) && Number(value) >= WINDOW_BITS
        default:
          return false
      }
    })
  )
}

/**
 * Which offer of permessage-deflate is taken, as the server is to read it. Neither side is to keep anything from one
 * message for the next: the server since its messages are compressed once for all, the client since its window would
 * take more memory than its socket. A server may ask for both by itself (RFC 7692 section 7.1.1).
 * @param header `Sec-WebSocket-Extensions`, if it came
 * @returns undefined where none is taken
 * @throws TIDINGS_ERR_WS_EXTENSIONS
 */
export function deflateOffer(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const offer = parseOffers(header).find((each) => each.name === 'permessage-deflate' && isAcceptable(each))
  if (offer === undefined) return undefined
  const window = offer.parameters.some(([name]) => name === 'server_max_window_bits')
    ? `; server_max_window_bits=${WINDOW_BITS}`
    : ''
  return `permessage-deflate; server_no_context_takeover; client_no_context_takeover${window}`
}
