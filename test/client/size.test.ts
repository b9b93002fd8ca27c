import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'

/** What the client may weigh, minified and gzipped, in bytes. */
const MOST = 11_500

t.test('the client weighs what both pages say', async (t) => {
  const cwd = new URL('../..', import.meta.url)
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'size'], { cwd })
  const size = Number(/^client (\d+)$/m.exec(stdout)![1])
  t.ok(size > 1000 && size < MOST, `${size} bytes`)
  for (const file of ['README.md', 'client/README.md']) {
    // Each gzip weighs a few bytes more or less.
    const said = Number(
      /([\d.]+) kB(?:\*\*)? minified and gzipped/.exec(await readFile(new URL(file, cwd), 'utf8'))?.[1],
    )
    t.ok(Math.abs(said * 1000 - size) < 100, `${file} says ${said} kB of ${size} bytes`)
  }
})
