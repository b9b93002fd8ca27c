import t, { type Test } from 'tap'
import type { Direction } from '../../demo/delayed-socket.ts'
import { type Piece, Transcript } from '../../demo/transcript.ts'

const GET = 'GET /a HTTP/1.1\r\nHost: b\r\n\r\n'

/** The pieces of a conversation, in two ways: as it is written here, and byte by byte. */
function pieces(t: Test, ...said: [Direction, string][]) {
  const read = (cut: (bytes: Buffer) => Buffer[]) => {
    const told: Piece[] = []
    const transcript = new Transcript((piece) => told.push(piece))
    for (const [direction, text] of said) {
      for (const bytes of cut(Buffer.from(text, 'latin1'))) transcript.read(direction, bytes)
    }
    return told.map(({ direction, kind, exchange, size, bytes }) => [
      direction,
      kind,
      exchange,
      size,
      bytes.toString('latin1'),
    ])
  }
  const whole = read((bytes) => [bytes])
  const byByte = read((bytes) => Array.from(bytes, (byte) => Buffer.of(byte)))
  if (!said.some(([, text]) => text.includes('until the end'))) t.same(byByte, whole, 'byte by byte')
  return whole
}

t.test('a body with a length, and none', async (t) => {
  const post = 'POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\n'
  const created = 'HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n'
  const nothing = 'HTTP/1.1 204 No Content\r\n\r\n'
  const empty = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
  t.same(
    pieces(t, ['up', `${post}abc${GET}`], ['down', `${created}{}${nothing}`], ['up', GET], ['down', empty]),
    [
      ['up', 'request', 1, post.length, post],
      ['up', 'body', 1, 3, 'abc'],
      ['up', 'request', 2, GET.length, GET],
      ['down', 'response', 1, created.length, created],
      ['down', 'body', 1, 2, '{}'],
      ['down', 'response', 2, nothing.length, nothing],
      ['up', 'request', 3, GET.length, GET],
      ['down', 'response', 3, empty.length, empty],
    ],
  )
})

t.test('chunks, one that goes on for long, and a stream without a length', async (t) => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
  const long = `1770\r\n${'x'.repeat(6000)}\r\n`
  const endless = 'HTTP/1.1 200 OK\r\n\r\n'
  t.same(
    pieces(
      t,
      ['up', GET + GET],
      ['down', `${chunked}3\r\nabc\r\n${long}0\r\n\r\n`],
      ['down', `${endless}until the end`],
    ).slice(2),
    [
      ['down', 'response', 1, chunked.length, chunked],
      ['down', 'chunk', 1, 8, '3\r\nabc\r\n'],
      ['down', 'chunk', 1, long.length, long.slice(0, 4096)],
      ['down', 'chunk', 1, 5, '0\r\n\r\n'],
      ['down', 'response', 2, endless.length, endless],
      ['down', 'chunk', 2, 13, 'until the end'],
    ],
  )
})

t.test('HEAD has no body, and an interim answer is none', async (t) => {
  const head = 'HEAD /a HTTP/1.1\r\n\r\n'
  const sized = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'
  const interim = 'HTTP/1.1 100 Continue\r\n\r\n'
  t.same(pieces(t, ['up', head + GET], ['down', `${sized}${interim}${sized}12345`]).slice(2), [
    ['down', 'response', 1, sized.length, sized],
    ['down', 'response', 1, interim.length, interim],
    ['down', 'response', 2, sized.length, sized],
    ['down', 'body', 2, 5, '12345'],
  ])
})

t.test('an upgrade, and frames of each length', async (t) => {
  const upgrade = 'GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n'
  const switching = 'HTTP/1.1 101 Switching Protocols\r\n\r\n'
  const medium = `\x82\x7e\x01\x00${'m'.repeat(256)}`
  const large = `\x82\x7f\0\0\0\0\0\x01\0\0${'l'.repeat(65_536)}`
  const masked = '\x89\x82\x01\x02\x03\x04ab'
  t.same(pieces(t, ['up', upgrade], ['down', `${switching}\x81\x02hi${medium}${large}`], ['up', masked]), [
    ['up', 'upgrade', 1, upgrade.length, upgrade],
    ['down', 'upgrade', 1, switching.length, switching],
    ['down', 'frame', 1, 4, '\x81\x02hi'],
    ['down', 'frame', 1, 260, medium],
    ['down', 'frame', 1, 65_546, large.slice(0, 4096)],
    ['up', 'frame', 1, 8, masked],
  ])
})

t.test('secrets are blanked, in heads of both sides', async (t) => {
  const get = 'GET /a HTTP/1.1\r\ncookie: a=b\r\nAUTHORIZATION:Basic abc\r\nX-Cookie: c\r\n\r\n'
  const ok = 'HTTP/1.1 204 No\r\nSet-Cookie: a=b; HttpOnly\r\nset-cookie: c=d\r\n\r\n'
  const [asked, answered] = pieces(t, ['up', get], ['down', ok])
  t.equal(asked![4], 'GET /a HTTP/1.1\r\ncookie: ***\r\nAUTHORIZATION: *********\r\nX-Cookie: c\r\n\r\n')
  t.equal(answered![4], `HTTP/1.1 204 No\r\nSet-Cookie: ${'*'.repeat(13)}\r\nset-cookie: ***\r\n\r\n`)
})
