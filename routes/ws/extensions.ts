import { ERR_WS_EXTENSIONS } from '../../bus/errors.ts'
import { WINDOW_BITS } from '../http/compressor.ts'

/** An offered extension: its name and its parameters. */
interface Offer {
  readonly name: string
  readonly parameters: readonly (readonly [name: string, value: string | undefined])[]
}

const NAME = /[ \t]*([\w!#$%&'*+.^`|~-]+)[ \t]*/y
/** A quoted value must be a token after unescaping. */
const PARAMETER =
  /;[ \t]*([\w!#$%&'*+.^`|~-]+)[ \t]*(?:=[ \t]*(?:([\w!#$%&'*+.^`|~-]+)|"((?:\\?[\w!#$%&'*+.^`|~-])+)")[ \t]*)?/y
/** List elements may be empty (RFC 2616 section 2.1). */
const COMMAS = /[ \t]*(?:,[ \t]*)+/y

/**
 * Parses `Sec-WebSocket-Extensions`. The result is in order of preference.
 * @throws TIDINGS_ERR_WS_EXTENSIONS if it is malformed (RFC 6455 section 9.1)
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

/** 8 to 15, without a leading zero (RFC 7692 section 7.1.2). */
const BITS = /^(?:[89]|1[0-5])$/

/** Whether an offer of permessage-deflate is acceptable. An offer with an unknown parameter must be declined. */
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
        // All sockets share compressed messages, so a smaller window is not available.
        case 'server_max_window_bits':
          return value !== undefined && BITS.test(value) && Number(value) >= WINDOW_BITS
        default:
          return false
      }
    })
  )
}

/**
 * Selects an offer of permessage-deflate. Neither side may keep a context between messages: the server shares
 * compressed messages between sockets, and a client's window would take more memory than its socket. A server may add
 * both parameters by itself (RFC 7692 section 7.1.1).
 * @param header `Sec-WebSocket-Extensions`, if present
 * @returns undefined if no offer is acceptable
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
