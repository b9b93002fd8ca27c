import t from 'tap'
import { bodyPayload, checkEncoding, checkSize } from '../../../routes/http/body.ts'

const kind = (type: string | undefined, body = '1') => bodyPayload(type, Buffer.from(body)).kind

t.test('the kind that a type stands for', async (t) => {
  const rows: [string | undefined, string][] = [
    [undefined, 'text'],
    ['application/json', 'json'],
    ['application/json;charset=latin1', 'json'],
    [' application/json ; x=y', 'json'],
    ['APPLICATION/LD+JSON', 'json'],
    ['application/+json', 'bytes'],
    ['application/jsonx', 'bytes'],
    ['image/x+json', 'bytes'],
    ['text/plain', 'text'],
    ['Text/X;charset=UTF8', 'text'],
    ['text/plain;charset="us-ascii"', 'text'],
    ['text/plain;x=y', 'text'],
    ['text/plain; x="; charset=latin1"', 'text'],
    ['text/plain; x="\\"; charset=latin1"', 'text'],
    ['text/plain; x="a;b" ; charset="utf-8"', 'text'],
    ['text/plain; charset="UTF\\-8"', 'text'],
    ['application/x-www-form-urlencoded', 'text'],
    ['application/x-www-form-urlencoded2', 'bytes'],
    ['application/octet-stream', 'bytes'],
  ]
  for (const [type, expected] of rows) t.equal(kind(type), expected, `${type}`)
})

t.test('a charset that is not UTF-8', async (t) => {
  for (const type of [
    'text/plain;charset=utf-16',
    'text/html; Charset = "latin1"',
    'text/plain; x="; charset=utf-8"; charset=latin1',
    'text/plain;charset=',
  ]) {
    t.throws(() => kind(type), { code: 'TIDINGS_ERR_CHARSET', statusCode: 415 }, type)
  }
})

t.test('a coding', async (t) => {
  for (const headers of [
    {},
    { 'content-encoding': 'identity' },
    { 'content-encoding': ' IDENTITY ' },
    { 'content-encoding': '' },
    { 'content-encoding': ' , identity' },
  ]) {
    checkEncoding(headers)
  }
  for (const coding of ['gzip', 'identity, gzip', 'br']) {
    const check = () => checkEncoding({ 'content-encoding': coding })
    t.throws(check, { code: 'TIDINGS_ERR_ENCODING', statusCode: 415 }, coding)
  }
})

t.test('the size is that of the payload, not of its envelope', async (t) => {
  const payload = bodyPayload('a/b', Buffer.alloc(10))
  t.equal(checkSize(payload, 10), payload)
  t.throws(() => checkSize(payload, 9), { code: 'TIDINGS_ERR_TOO_LARGE', statusCode: 413 })
})
