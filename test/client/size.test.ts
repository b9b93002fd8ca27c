import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'

/** What the client may weigh, minified and gzipped. */
const MOST = 11_500

t.test('the client weighs what both pages say', async (t) => {
  const cwd = new URL('../..', import.meta.url)
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'size'], { cwd })
  const size = Number(/^client (\d+)$/m.exec(stdout)![1])
  t.ok(size > 1000 && size < MOST, `${size} bytes`)
  for (const file of ['README.md', 'client/README.md'])
    t.match(await readFile(new URL(file, cwd), 'utf8'), `${size.toLocaleString('en')} bytes`, file)
})
