import t from 'tap'
import {
  chunkCoding,
  envelopeOverhead,
  eventOverhead,
  exchangeHeaders,
  frameHeader,
  heartbeatBytes,
  MSS,
  pushHeaders,
  RECORD_OVERHEAD,
  SSE_HEARTBEAT,
  segments,
  tlsRecords,
  WS_HEARTBEAT,
} from '../../../benchmarks/model/bytes.ts'
import { memoryBus } from '../../../bus/memory.ts'
import { textPayload } from '../../../bus/payload.ts'
import { eventsChunk } from '../../../routes/sse/encoder.ts'
import { frames, textFrame } from '../../../routes/ws/encoder.ts'

t.test('frame headers at the limits of their lengths', async (t) => {
  for (const [size, header] of [
    [0, 2],
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
  ] as const) {
    t.equal(frameHeader(size), header)
    t.equal(frameHeader(size, true), header + 4)
    t.equal(textFrame('x'.repeat(size)).length, size + header, 'equals the output of the encoder')
  }
})

t.test('sizes of envelope, event and frame equal the output of the encoders', async (t) => {
  const { log } = memoryBus()
  for (const size of [1, 30, 200, 5000]) {
    const entry = log.append('default', textPayload('x'.repeat(size)))
    const batch = log.read(['default'], entry.seq - 1, { limit: 1, bytes: 1e6 })
    const cursor = `${log.epoch}.${entry.seq}`.length
    const envelope = entry.size
    t.equal(envelope, envelopeOverhead(cursor, 'default'.length) + size + 2)
    t.equal(batch.as(frames).length, envelope + frameHeader(envelope))
    t.equal(batch.as(eventsChunk).length, envelope + eventOverhead(envelope, cursor))
  }
  t.equal(chunkCoding(255), 6)
  t.equal(chunkCoding(256), 7)
})

t.test('heartbeats are spread over the messages', async (t) => {
  t.equal(heartbeatBytes(0.1, SSE_HEARTBEAT.bytes, SSE_HEARTBEAT.every), 7 / 1.5)
  t.equal(heartbeatBytes(1, WS_HEARTBEAT.bytes, WS_HEARTBEAT.every), 8 / 25)
})

t.test('TCP/IP and TLS', async (t) => {
  t.same(
    [1, MSS, MSS + 1, 3 * MSS].map((size) => segments(size)),
    [1, 1, 2, 3],
  )
  t.equal(pushHeaders(2), 104, 'a frame of two bytes has 104 bytes of TCP/IP headers')
  t.equal(pushHeaders(4 * MSS), 52 * 6)
  t.equal(exchangeHeaders(200, 300), 52 * 3)
  t.equal(exchangeHeaders(3 * MSS, 4 * MSS), 52 * (3 + 1 + 4 + 2))
  t.equal(tlsRecords(2), RECORD_OVERHEAD)
  t.equal(tlsRecords(16_385), 2 * RECORD_OVERHEAD)
})
