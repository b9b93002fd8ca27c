import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import t from 'tap'
import { ROOT } from './child.ts'

const FILES = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && !file.startsWith('test/') && existsSync(`${ROOT}/${file}`))

/** The files of this project that each file imports, for types too. */
const IMPORTS = new Map(
  FILES.map((file) => {
    const text = readFileSync(`${ROOT}/${file}`, 'utf8')
    const found = text.matchAll(/(?:from|import\()\s*'(\.{1,2}\/[^']+)'/g)
    return [file, [...found].map(([, path]) => posix.join(posix.dirname(file), path!))]
  }),
)

/** What a folder may import, beside itself. */
const MAY: Record<string, readonly string[]> = {
  types: [],
  bus: [],
  'routes/http': ['bus'],
  'routes/poll': ['bus', 'routes/http'],
  'routes/longpoll': ['bus', 'routes/http', 'routes/poll'],
  'routes/sse': ['bus', 'routes/http'],
  'routes/ws': ['bus', 'routes/http'],
  'routes/publish': ['bus', 'routes/http'],
  'routes/echo': ['bus', 'routes/http', 'routes/ws'],
  'routes/stats': ['bus', 'routes/http'],
  routes: ['routes/http', 'routes/poll', 'routes/longpoll', 'routes/sse', 'routes/ws'],
  plugins: ['types', 'bus', 'routes/http', 'routes/ws'],
  metrics: ['bus', 'plugins', 'routes/http'],
  client: ['types'],
  demo: [],
  benchmarks: [],
}

/** The folder of the table that a file stands in. */
function folderOf(file: string): string | undefined {
  return Object.keys(MAY)
    .sort((a, b) => b.length - a.length)
    .find((folder) => file.startsWith(`${folder}/`))
}

t.test('each import points in the direction of the map', async (t) => {
  for (const [file, imports] of IMPORTS) {
    const own = folderOf(file)
    if (own === undefined) continue
    for (const path of imports) {
      const folder = folderOf(path)
      t.ok(folder === own || (folder !== undefined && MAY[own]!.includes(folder)), `${file} imports ${path}`)
    }
  }
})

t.test('no file imports another in a circle', async (t) => {
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      t.fail([...path.slice(path.indexOf(file)), file].join(' imports '))
      return
    }
    if (done.has(file)) return
    for (const next of IMPORTS.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of IMPORTS.keys()) visit(file, [])
  t.ok(done.size > 100)
})
