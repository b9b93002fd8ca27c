import t from 'tap'
import { takesGzip } from '../../../routes/http/accept-encoding.ts'

t.test('who takes gzip', async (t) => {
  const rows: [string | undefined, boolean][] = [
    [undefined, false],
    ['', false],
    ['gzip', true],
    ['GZip', true],
    ['x-gzip', true],
    ['*', true],
    ['br', false],
    ['identity', false],
    ['gzip, deflate, br, zstd', true],
    ['br;q=1.0, gzip;q=0.8, *;q=0.1', true],
    ['gzip;q=0', false],
    ['gzip;q=0.0', false],
    ['gzip;q=0.001', true],
    ['gzip ; q=0.5', true],
    ['*;q=0', false],
    ['gzip;q=0, *', false],
    ['*;q=0, gzip', true],
    ['identity, gzip', true],
    ['identity;q=1, gzip;q=0.5', false],
    ['identity;q=0.5, gzip;q=0.5', true],
    ['identity;q=0', false],
    ['identity;q=0, *', true],
    // What is malformed is passed over.
    ['gzip;q=2', false],
    ['gzip;q=', false],
    ['gzip;level=9', false],
    ['gz ip', false],
    ['gzip;q=2, *;q=0.5', true],
    [',, gzip ,', true],
  ]
  for (const [header, takes] of rows) t.equal(takesGzip(header), takes, String(header))
})
