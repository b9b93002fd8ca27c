import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import ts from 'typescript'
import { LOADER, ROOT, UNCOVERED } from '../child.ts'
import { openStream } from '../helper.ts'
import { type Block, blocksOf, PAGES, pageOf } from './pages.ts'

const ENTRIES = {
  'fastify-tidings': 'index.ts',
  'fastify-tidings/bus': 'bus/index.ts',
  'fastify-tidings/client': 'client/index.ts',
  'fastify-tidings/metrics': 'metrics/index.ts',
  'fastify-tidings/redis': 'bus/redis.ts',
  'fastify-tidings/shared': 'client/shared/index.ts',
}

const isCode = ({ info }: Block) => /^(?:ts|js)\b/.test(info)

t.test('each block of code is valid TypeScript', async (t) => {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    paths: Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, [join(ROOT, file)]])),
  }
  const sources = new Map<string, string>()
  for (const block of PAGES.flatMap(blocksOf).filter(isCode)) {
    // In a folder of the project, where its packages are found; a module, whether it imports something or not.
    const path = join(ROOT, 'docs', `${block.name.replace(/[^a-z0-9]/gi, '-')}.ts`)
    sources.set(path, `${block.code}\nexport {}\n`)
  }
  t.ok(sources.size > 15)
  const host = ts.createCompilerHost(options)
  const { readFile, fileExists, getSourceFile } = host
  host.readFile = (path) => sources.get(path) ?? readFile(path)
  host.fileExists = (path) => sources.has(path) || fileExists(path)
  host.getSourceFile = (path, version, ...more) => {
    const source = sources.get(path)
    return source === undefined
      ? getSourceFile(path, version, ...more)
      : ts.createSourceFile(path, source, version)
  }
  const program = ts.createProgram([...sources.keys()], options, host)
  for (const path of sources.keys()) {
    const file = program.getSourceFile(path)!
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
    t.equal(ts.formatDiagnostics(found, host), '', path.slice(ROOT.length))
  }
})

const fileOf = (folder: string, { name }: Block) => join(folder, `${name.replace(/[^a-z0-9]/gi, '-')}.mts`)

/** Writes a block as a program that has this project as the package. */
async function write(folder: string, block: Block, code = block.code): Promise<string> {
  const file = fileOf(folder, block)
  await writeFile(
    file,
    code.replace(/from '(fastify-tidings[a-z/]*)'/g, (_, name: keyof typeof ENTRIES) => {
      return `from '${join(ROOT, ENTRIES[name])}'`
    }),
  )
  return file
}

async function folderFor(t: { teardown(end: () => unknown): void }): Promise<string> {
  const parent = join(ROOT, 'node_modules', '.cache')
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, 'docs-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Between what two blocks print. */
const MARK = '=== the next block ==='

t.test('each block that is marked `run` runs, and prints what stands below it', async (t) => {
  const folder = await folderFor(t)
  const runs: { block: Block; prints: string }[] = []
  for (const page of PAGES) {
    const blocks = blocksOf(page)
    for (const [i, block] of blocks.entries()) {
      const next = blocks[i + 1]
      if (/ run$/.test(block.info)) runs.push({ block, prints: next?.info === 'text' ? next.code : '' })
    }
  }
  t.ok(runs.length > 8)
  // One after another in one process: to start one takes longer than most of them run.
  const lines = []
  for (const { block } of runs) {
    lines.push(`console.log(${JSON.stringify(MARK)})`, `await import('${await write(folder, block)}')`)
  }
  const main = join(folder, 'main.mts')
  await writeFile(main, lines.join('\n'))
  const { stdout } = await promisify(execFile)(process.execPath, [...LOADER, main], {
    cwd: ROOT,
    env: { ...process.env, ...UNCOVERED },
  })
  const printed = stdout.split(`${MARK}\n`).slice(1)
  for (const [i, { block, prints }] of runs.entries()) t.equal(printed[i], prints, block.name)
})

t.test("the README's first program serves its page and its stream", async (t) => {
  const folder = await folderFor(t)
  const block = blocksOf(pageOf('README.md')).find(({ code }) => code.includes('.listen('))!
  const code = block.code.replace(
    'await app.listen({ port: 3000 })',
    "console.log(await app.listen({ port: 0, host: '127.0.0.1' }))",
  )
  const file = await write(folder, block, code)
  const child = spawn(process.execPath, [...LOADER, file], {
    cwd: ROOT,
    env: { ...process.env, ...UNCOVERED },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill())
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (text) => resolve(String(text).trim()))
    child.once('exit', () => reject(new Error('it ended')))
  })
  const html = await (await fetch(url)).text()
  const [, path] = /EventSource\('([^']+)'\)/.exec(html)!
  const stream = await openStream(t, url + path)
  t.match(await stream.next(), { event: 'ready' })
  const message = JSON.parse((await stream.next()).data!)
  t.match(message, { channel: 'clock', data: String })
  t.ok(Date.parse(message.data))
})
