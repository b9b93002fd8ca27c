import t from 'tap'
import { needs } from '../needs.ts'
import { MESSAGES, run } from './course.ts'
import { KINDS } from './kinds.ts'

const EXPECTED = Array.from({ length: MESSAGES }, (_, i) => i)

t.test('the default client, through proxies that nobody has configured for it', async (t) => {
  // They wait more than they work.
  t.jobs = 4
  for (const kind of KINDS) {
    for (const { name, configure, patience = 0 } of kind.plain) {
      t.test(name, { buffered: true }, async (t) => {
        if (needs(t, kind.program) === undefined) return
        const { data, gaps, readyState } = await run(t, kind, configure, patience * 1.1)
        t.strictSame(data, EXPECTED, 'nothing is lost, nothing comes twice')
        t.strictSame(gaps, [])
        t.equal(readyState, 1)
      })
    }
  }
})
