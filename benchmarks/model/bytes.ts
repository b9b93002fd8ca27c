/** What a message weighs on each layer, beside itself. Bytes. */

/** The header of a WebSocket frame (RFC 6455 section 5.2). A client masks its frames, which takes 4 more. */
export function frameHeader(payload: number, masked = false): number {
  const length = payload < 126 ? 2 : payload < 65_536 ? 4 : 10
  return masked ? length + 4 : length
}

/** An event's lines: `data: TEXT`, `id: CURSOR`, and the empty line that ends it. */
export function eventLines(cursor: number): number {
  return 'id: \n'.length + cursor + 'data: \n\n'.length
}

/** The coding of one chunk (RFC 9112 section 7.1): its length in hexadecimal digits, and two line ends. */
export function chunkCoding(size: number): number {
  return size.toString(16).length + 4
}

/** What an event weighs beside its text: lines and chunk. */
export function eventOverhead(text: number, cursor: number): number {
  const lines = eventLines(cursor)
  return lines + chunkCoding(lines + text)
}

/** An envelope without its data. */
export function envelopeOverhead(cursor: number, channel: number): number {
  return '{"cursor":"","channel":"","time":,"data":}'.length + cursor + channel + 13
}

/**
 * Signs of life, a message: a heartbeat each so many seconds, over λ messages a second.
 * SSE: the comment `:`, its line end and its chunk, 7 bytes each 15 s. WebSocket: a ping of 2 down and a pong of
 * 6 up, each 25 s.
 */
export function heartbeatBytes(rate: number, beat: number, every: number): number {
  return beat / (rate * every)
}

export const SSE_BEAT = { bytes: 7, every: 15 } as const
export const WS_BEAT = { bytes: 8, every: 25 } as const

/** The most that a segment carries over Ethernet: 1500 less 20 (IP), 20 (TCP) and 12 (its time stamps). */
export const MSS = 1448
/** What each segment weighs beside its data, the link's own header apart. */
export const SEGMENT = 52

/** Segments that one write takes where it finds the connection idle. */
export function segments(size: number, mss = MSS): number {
  return Math.ceil(size / mss)
}

/**
 * TCP and IP headers of one write that the other side only acknowledges: its segments, and one acknowledgement for
 * each two of them (RFC 1122 section 4.2.3.2: at least every second one).
 */
export function pushHeaders(size: number, mss = MSS): number {
  const sent = segments(size, mss)
  return SEGMENT * (sent + Math.ceil(sent / 2))
}

/**
 * TCP and IP headers of one exchange: request and answer acknowledge each other where each is one segment, and the
 * answer itself is acknowledged alone, as the next request comes later than an acknowledgement may wait.
 */
export function exchangeHeaders(up: number, down: number, mss = MSS): number {
  const sent = segments(up, mss)
  const back = segments(down, mss)
  return SEGMENT * (sent + Math.floor((sent - 1) / 2) + back + Math.ceil(back / 2))
}

/** The most that a record of TLS carries (RFC 8446 section 5.1). */
const RECORD = 16_384
/** What a record of TLS 1.3 weighs beside its data: a header of 5, the inner type, and a tag of 16 (section 5.2). */
export const RECORD_OVERHEAD = 22

/** Bytes that TLS 1.3 adds to one write. */
export function tlsRecords(size: number): number {
  return RECORD_OVERHEAD * Math.ceil(size / RECORD)
}
