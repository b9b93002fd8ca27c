import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import t from 'tap'

const ROOT = new URL('../..', import.meta.url)

/** What each entry may weigh, minified and gzipped, in bytes. */
const MOST: Record<string, number> = {
  'client/core': 8750,
  client: 12_000,
  'client/shared': 14_600,
  'client/react': 13_100,
}

t.test('each entry weighs what the pages say', async (t) => {
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'size'], { cwd: ROOT })
  const [readme, own] = await Promise.all(
    ['README.md', 'client/README.md'].map((file) => readFile(new URL(file, ROOT), 'utf8')),
  )
  const sizes = Object.fromEntries(
    [...stdout.matchAll(/^(\S+) (\d+)$/gm)].map(([, entry, size]) => [entry, +size!]),
  )
  t.same(Object.keys(sizes), Object.keys(MOST))
  for (const [entry, most] of Object.entries(MOST)) {
    const size = sizes[entry]!
    t.ok(size > 1000 && size < most, `${entry}: ${size} bytes`)
    const name = entry.replace(/.*\//, '')
    const said = new RegExp(`\`fastify-tidings/${name}\` +\\| ([\\d.]+) kB`).exec(own!)?.[1]
    // Each gzip weighs a few bytes more or less.
    t.ok(
      Math.abs(Number(said) * 1000 - size) < 100,
      `${entry}: client/README.md says ${said} kB of ${size} bytes`,
    )
  }
  const said = /takes ([\d.]+) kB minified and gzipped, ([\d.]+) kB/.exec(readme!)!
  t.ok(Math.abs(Number(said[1]) * 1000 - sizes.client!) < 100, `README.md says ${said[1]} kB`)
  t.ok(Math.abs(Number(said[2]) * 1000 - sizes['client/core']!) < 100, `README.md says ${said[2]} kB`)
})

t.test('what a program does not import is not in its bundle', async (t) => {
  const bundle = async (names: string) => {
    const contents = `import { read, ${names} } from './client/core/index.ts'; read('/', { ${names} })`
    const stdin = { contents, resolveDir: ROOT.pathname }
    const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'esm', minify: true })
    return outputFiles[0]!.text
  }
  t.match(await bundle('ws, sse, poll'), 'text/event-stream')
  const text = await bundle('ws, poll')
  t.notMatch(text, 'text/event-stream')
  t.notMatch(text, 'idempotency-key')
  t.notMatch(await bundle('sse'), 'bufferedAmount<')
})
