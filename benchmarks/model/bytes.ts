/** Bytes that each protocol layer adds to a message. */

/** Returns the size of a WebSocket frame header (RFC 6455 section 5.2). A client's mask takes 4 more bytes. */
export function frameHeader(payload: number, masked = false): number {
  const length = payload < 126 ? 2 : payload < 65_536 ? 4 : 10
  return masked ? length + 4 : length
}

/** Returns the size of an event's lines: `data: TEXT`, `id: CURSOR` and the empty line. */
export function eventLines(cursor: number): number {
  return 'id: \n'.length + cursor + 'data: \n\n'.length
}

/** Returns the overhead of one chunk (RFC 9112 section 7.1): the length in hexadecimal digits and two line ends. */
export function chunkCoding(size: number): number {
  return size.toString(16).length + 4
}

/** Returns the overhead of an event: lines and chunk. */
export function eventOverhead(text: number, cursor: number): number {
  const lines = eventLines(cursor)
  return lines + chunkCoding(lines + text)
}

/** Returns the size of an envelope without its data. */
export function envelopeOverhead(cursor: number, channel: number): number {
  return '{"cursor":"","channel":"","time":,"data":}'.length + cursor + channel + 13
}

/**
 * Returns the heartbeat bytes per message: one heartbeat every `every` seconds, spread over λ messages per second. SSE
 * sends a chunk with the comment `:`, 7 bytes every 15 s. WebSocket sends a ping of 2 bytes and receives a pong of 6
 * bytes every 25 s.
 */
export function heartbeatBytes(rate: number, beat: number, every: number): number {
  return beat / (rate * every)
}

export const SSE_HEARTBEAT = { bytes: 7, every: 15 } as const
export const WS_HEARTBEAT = { bytes: 8, every: 25 } as const

/** Maximum segment size over Ethernet: 1500 − 20 (IP) − 20 (TCP) − 12 (TCP timestamps). */
export const MSS = 1448
/** Header bytes per segment, excluding the link layer. */
export const SEGMENT = 52

/** Returns the segments of one write on an idle connection. */
export function segments(size: number, mss = MSS): number {
  return Math.ceil(size / mss)
}

/**
 * Returns TCP/IP header bytes of a write that the receiver only acknowledges: its segments, and one acknowledgement for
 * every two (RFC 1122 section 4.2.3.2).
 */
export function pushHeaders(size: number, mss = MSS): number {
  const sent = segments(size, mss)
  return SEGMENT * (sent + Math.ceil(sent / 2))
}

/**
 * Returns TCP/IP header bytes of a request and its response. The response acknowledges a request of one segment. The
 * response gets its own acknowledgement, because the next request comes after the delayed-ACK timeout.
 */
export function exchangeHeaders(up: number, down: number, mss = MSS): number {
  const sent = segments(up, mss)
  const back = segments(down, mss)
  return SEGMENT * (sent + Math.floor((sent - 1) / 2) + back + Math.ceil(back / 2))
}

/** Maximum size of a TLS record (RFC 8446 section 5.1). */
const RECORD = 16_384
/** Overhead of a TLS 1.3 record: a header of 5 bytes, the inner type, and a tag of 16 bytes (section 5.2). */
export const RECORD_OVERHEAD = 22

/** Returns the bytes that TLS 1.3 adds to one write. */
export function tlsRecords(size: number): number {
  return RECORD_OVERHEAD * Math.ceil(size / RECORD)
}
