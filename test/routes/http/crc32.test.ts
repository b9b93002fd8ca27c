import fc from 'fast-check'
import t from 'tap'
import { combine, crc32, shiftOf, tableCrc32 } from '../../../routes/http/crc32.ts'

t.test('the check value of CRC-32, by Node and by the table', async (t) => {
  for (const sum of [crc32, tableCrc32]) {
    t.equal(sum(Buffer.from('123456789')), 0xcbf43926)
    t.equal(sum(Buffer.alloc(0)), 0)
  }
})

t.test('the checksum of two parts is that of the whole', async (t) => {
  const bytes = fc.uint8Array({ maxLength: 5000 })
  fc.assert(
    fc.property(bytes, bytes, (first, second) => {
      const whole = crc32(Buffer.concat([first, second]))
      return (
        combine(crc32(first), crc32(second), shiftOf(second.length)) === whole &&
        tableCrc32(second) === crc32(second)
      )
    }),
  )
  t.pass()
})

t.test('of many parts, whatever their lengths', async (t) => {
  const parts = [0, 1, 255, 65_535, 65_536, 1_000_003].map((length) => Buffer.alloc(length, `${length}`))
  const sum = parts.reduce((before, part) => combine(before, crc32(part), shiftOf(part.length)), 0)
  t.equal(sum, crc32(Buffer.concat(parts)))
  // Where the powers of x begin again.
  const zeros = crc32(Buffer.alloc(1024))
  let doubled = zeros
  for (let bytes = 1024; bytes < 2 ** 31; bytes *= 2) doubled = combine(doubled, doubled, shiftOf(bytes))
  t.equal(combine(zeros, zeros, shiftOf(1024)), crc32(Buffer.alloc(2048)))
  t.equal(combine(0, doubled, shiftOf(2 ** 31)), doubled)
})
