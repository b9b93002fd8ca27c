import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { adapterOf, indexesOf, requestText } from '../../benchmarks/adapters/adapter.ts'
import { pidOf, procCpuOf } from '../../benchmarks/machine.ts'
import { ROOT } from '../child.ts'
import { build } from '../helper.ts'
import { quickForks, runs, small, wrong } from './small.ts'

t.test('the adapter in the documentation works', async (t) => {
  quickForks(t)
  const docs = await readFile(join(ROOT, 'benchmarks', 'README.md'), 'utf8')
  const [, code] = /```js\n(.*?)```/s.exec(docs)!
  t.ok(code!.trimEnd().split('\n').length <= 30)
  const file = join(t.testdir(), 'my-server.mjs')
  await writeFile(file, code!)
  const outcome = await runs(small('--target', file, '--heat', '200'))
  t.same(wrong(outcome), [])
  t.match(outcome.rounds, [{ variant: 'sse' }])
  t.ok(outcome.rounds.every(({ deliveries, missed }) => deliveries > 0 && missed === 0))
})

t.test('an invalid adapter is reported before the run', async (t) => {
  const folder = t.testdir({
    'none.mjs': 'export const start = 1',
    'broken.mjs': 'export default (',
    'lacking.mjs': "import 'not-installed'",
  })
  for (const [target, why] of [
    ['nobody', /--target 'nobody' is neither a file nor one of tidings, ws/],
    [join(folder, 'none.mjs'), /must have a default export with start\(\), publish\(text\) and readers/],
    [join(folder, 'broken.mjs'), /can't be loaded: /],
    [join(folder, 'lacking.mjs'), /needs the package not-installed: npm install not-installed$/],
  ] as const) {
    await t.rejects(runs(small('--target', target)), { message: why, exitCode: 2 })
  }
  await t.rejects(runs(small('--target', 'ws', '--transports', 'sse')), { message: /it has ws/ })
  await t.rejects(runs(small('--target', 'ws', '--channels', 'each')), { message: /--channels shared/ })
  t.throws(() => small('--target', 'ws', '--url', 'http://x'), { message: /--url and --target exclude/ })
})

t.test('finds message numbers in payloads only', async (t) => {
  const adapter = await adapterOf('ws')
  t.same(indexesOf(adapter, '42["message","00000007xxx"]\n{"time":1764117000000,"data":"00000008"}'), [7, 8])
  t.same(indexesOf({ ...adapter, indexesOf: () => [3] }, ''), [3])
  t.equal(
    requestText({ path: '/p', body: 'é', headers: { A: 'b' } }, 'h:1', 'C: d\r\n'),
    'POST /p HTTP/1.1\r\nHost: h:1\r\nA: b\r\nContent-Length: 2\r\nC: d\r\n\r\né',
  )
  t.equal(requestText({ path: '/p' }, 'h:1'), 'GET /p HTTP/1.1\r\nHost: h:1\r\n\r\n')
})

t.test('finds the process that listens on a port', async (t) => {
  const { url } = await build(t)
  const found = pidOf(new URL(url))
  // Processes of other users are not visible.
  t.ok(found === process.pid || procCpuOf(process.pid) === undefined, String(found))
  t.equal(pidOf(new URL('http://example.com')), undefined)
  t.equal(pidOf(new URL(url), t.testdir()), undefined)
})
