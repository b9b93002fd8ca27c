import fc from 'fast-check'
import t from 'tap'
import { base64Payload, bytesPayload, jsonPayload, payloadOf, textPayload, utf8 } from '../../bus/payload.ts'

t.test('JSON is kept to the letter, on one line', async (t) => {
  const big = '123456789012345678901234567890.10'
  t.strictSame(jsonPayload(big), { kind: 'json', json: big, size: big.length })
  const text = '\r\n{"a" :\r\n1,\n"b":"\\r\\n\\u0000"}\r'
  t.strictSame(jsonPayload(text), {
    kind: 'json',
    json: '  {"a" :  1, "b":"\\r\\n\\u0000"} ',
    size: text.length,
  })
  t.equal(jsonPayload('"é😀\u2028"').json, '"é😀\u2028"')
  t.equal(jsonPayload('"é😀"').size, 8)
  t.equal(jsonPayload('"\\ud800"').json, '"\\ud800"', 'a lone surrogate that was escaped stays so')
  t.equal(jsonPayload('{"a":1,"a":2}').json, '{"a":1,"a":2}')
})

t.test('what is no JSON is refused', async (t) => {
  const none = [
    '',
    ' ',
    '{',
    '01',
    "{'a':1}",
    '[1,]',
    'NaN',
    'undefined',
    '\ufeff1',
    '1 2',
    '"\n"',
    '"\\x"',
    '\u00a01',
  ]
  for (const text of none) {
    t.throws(() => jsonPayload(text), { code: 'TIDINGS_ERR_JSON', statusCode: 400 }, JSON.stringify(text))
  }
})

t.test('text is a JSON string', async (t) => {
  t.strictSame(textPayload(''), { kind: 'text', json: '""', size: 0 })
  t.strictSame(textPayload('a"\\\r\n\0é'), {
    kind: 'text',
    json: '"a\\"\\\\\\r\\n\\u0000é"',
    size: 8,
  })
  t.equal(textPayload('\ud800').json, '"\\ud800"', 'a lone surrogate is escaped: the envelope stays UTF-8')
})

t.test('bytes are base64', async (t) => {
  t.strictSame(bytesPayload(Buffer.from([0, 255, 10])), {
    kind: 'bytes',
    json: '"AP8K","encoding":"base64"',
    size: 3,
  })
  t.equal(bytesPayload(Buffer.alloc(0)).json, '"","encoding":"base64"')
  t.equal(bytesPayload(new Uint8Array([9, 1, 2, 9]).subarray(1, 3)).json, '"AQI=","encoding":"base64"')
})

t.test('base64 is padded, and of its own letters', async (t) => {
  for (const text of ['', 'AA==', 'AAA=', 'AAAA', '+/+/']) {
    t.equal(base64Payload(text).json, `"${text}","encoding":"base64"`)
  }
  t.equal(base64Payload('AP8K').size, 3)
  const none = [
    'A',
    'AA',
    'AAA',
    'A===',
    'AA=A',
    '=',
    '====',
    'AA==AA==',
    'AAA-',
    'AAA_',
    'AAAA\n',
    ' AAAA',
    'AA =',
    'ÄAAA',
  ]
  for (const text of [...none, undefined, null, 1, ['AAAA'], {}]) {
    t.throws(() => base64Payload(text), { code: 'TIDINGS_ERR_DATA', message: /base64/ }, JSON.stringify(text))
  }
})

t.test('bytes that are not UTF-8 are no text', async (t) => {
  t.equal(utf8(Buffer.from('é😀\0')), 'é😀\0')
  t.equal(utf8(Buffer.alloc(0)), '')
  const none = [
    [0x80],
    [0xc3],
    [0xc0, 0x80],
    [0xe0, 0x80, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf0, 0x80, 0x80, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xff],
    [0x61, 0xf0, 0x9f, 0x98],
  ]
  for (const bytes of none) {
    t.throws(() => utf8(Buffer.from(bytes)), { code: 'TIDINGS_ERR_UTF8', statusCode: 400 }, String(bytes))
  }
})

t.test('what a program publishes is text, bytes or JSON', async (t) => {
  t.equal(payloadOf('{"a":1}').kind, 'text')
  t.equal(payloadOf(Buffer.from('x')).kind, 'bytes')
  t.equal(payloadOf(new Uint8Array(1)).kind, 'bytes')
  t.strictSame(payloadOf({ é: '\n' }), { kind: 'json', json: '{"é":"\\n"}', size: 11 })
  t.equal(payloadOf(null).json, 'null')
  t.equal(payloadOf(NaN).json, 'null')
  t.equal(payloadOf('\udc00').json, '"\\udc00"')
  t.equal(payloadOf(['\udc00']).json, '["\\udc00"]')
  const circle: Record<string, unknown> = {}
  circle.circle = circle
  for (const data of [undefined, () => {}, Symbol('s'), 1n, circle, { toJSON: () => undefined }]) {
    t.throws(() => payloadOf(data), { code: 'TIDINGS_ERR_DATA', statusCode: 400, message: /'data'/ })
  }
})

t.test('any JSON stands on one line, and means the same', async () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom('', '\r\n', '\n\n', '\r'), (json, end) => {
      const payload = jsonPayload(end + json + end)
      return !/[\r\n]/.test(payload.json) && payload.json.trim() === json.trim()
    }),
  )
})
