import t from 'tap'
import { etagOf, taggedCursor } from '../../../routes/http/etag.ts'

t.test('a tag gives its cursor back', async (t) => {
  t.strictSame(taggedCursor(etagOf('abcd.12')), { epoch: 'abcd', seq: 12 })
})

t.test('the first of ours counts', async (t) => {
  const rows: [string | undefined, string | undefined][] = [
    ['"abcd.1"', 'abcd'],
    ['W/"abcd.1"', 'abcd'],
    ['"abcd.1", "efgh.2"', 'abcd'],
    ['"x", W/"y.1", "", W/"abcd.1","efgh.2"', 'abcd'],
    ['"a,b", "abcd.1"', 'abcd'],
    ['abcd.1', undefined],
    ['"abcd.1', undefined],
    ['"abcd.01"', undefined],
    ['*', undefined],
    ['', undefined],
    [undefined, undefined],
  ]
  for (const [header, epoch] of rows) t.equal(taggedCursor(header)?.epoch, epoch, `${header}`)
})
