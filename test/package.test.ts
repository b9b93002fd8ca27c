import { execFile } from 'node:child_process'
import { cp, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { Child, ROOT, UNCOVERED, urlFrom } from './child.ts'
import { openSocket, openStream, post } from './helper.ts'
import { emptyFolder, install, pack, run } from './packed.ts'

const exec = promisify(execFile)

const folder = await emptyFolder(t)
const packed = await pack()
const tarball = packed['fastify-tidings']
await cp(join(ROOT, 'test', 'fixtures', 'app'), folder, { recursive: true })
const { devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
const others = ['fastify', 'typescript', '@types/node'].map((name) => `${name}@${devDependencies[name]}`)
await install(folder, tarball, ...others)

t.test('the package holds what is run, and no more', async (t) => {
  const files = await readdir(join(folder, 'node_modules', 'fastify-tidings'), { recursive: true })
  for (const file of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/client/index.js',
    'dist/client/core/index.js',
    'dist/client/shared/index.js',
    'dist/client/react/index.d.ts',
    'dist/bus/index.d.ts',
    'LICENSE',
    'CHANGELOG.md',
    'SECURITY.md',
    'client/README.md',
    'docs/protocol.md',
    'docs/transports/ws.md',
    'docs/openapi.json',
  ]) {
    t.ok(files.includes(file), file)
  }
  t.notOk(files.some((file) => /(^|\/)(test|benchmarks|demo|public|model|node_modules)(\/|$)/.test(file)))
  t.notOk(files.some((file) => file.endsWith('.ts') && !file.endsWith('.d.ts')))
})

// The tarballs here are made of one build, without these scripts.
t.test('npm builds each package before it packs or publishes it', async (t) => {
  for (const [path, prepack] of [
    ['.', 'npm run build:plugin'],
    ['demo', 'cd .. && npm run build:plugin && npm run build:demo'],
    ['benchmarks', 'cd .. && npm run build'],
  ] as const) {
    const { scripts } = JSON.parse(await readFile(join(ROOT, path, 'package.json'), 'utf8'))
    t.equal(scripts.prepack, prepack, path)
  }
})

t.test('publint and attw are content', async (t) => {
  const bin = (name: string) => join(ROOT, 'node_modules', '.bin', name)
  t.match(await run(bin('publint'), [tarball, '--strict'], folder), /All good/)
  t.match(await run(bin('attw'), [tarball, '--profile', 'esm-only'], folder), /fastify-tidings v/)
})

t.test('an app in strict TypeScript, with every declaration checked', async (t) => {
  await run(join(folder, 'node_modules', '.bin', 'tsc'), [], folder)
  const child = new Child(t, process.execPath, ['app.js'], UNCOVERED, folder)
  const url = `${await urlFrom(child)}/live`
  t.match(await child.logged(/heard/), { msg: 'heard hello' })

  const poll = await (await fetch(`${url}/poll?channel=news&cursor=earliest`)).json()
  t.match(poll, { messages: [{ channel: 'news', data: { hello: 'world' } }] })
  const { cursor } = poll as { cursor: string }
  const held = fetch(`${url}/longpoll?channel=news&cursor=${cursor}`)
  const stream = await openStream(t, `${url}/sse?channel=news&cursor=${cursor}`)
  t.match(await stream.next(), { event: 'ready', retry: /^[0-9]+$/ })
  const ws = await openSocket(t, `${url}/ws?channel=news&cursor=${cursor}`)
  t.match(await ws.json(), { type: 'ready' })
  t.equal((await post(`${url}/publish?channel=news`, 'to all')).status, 201)
  t.match(await (await held).json(), { messages: [{ data: 'to all' }] })
  t.match(JSON.parse((await stream.next()).data!), { data: 'to all' })
  t.match(await ws.json(), { data: 'to all' })
})

t.test("the client's entries, in strict TypeScript", async (t) => {
  await run(join(folder, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.page.json'], folder)
  const core = "import { read } from 'fastify-tidings/core'; console.log(typeof read)"
  t.equal(await run(process.execPath, ['--input-type=module', '-e', core], folder), 'function\n')
  const shared = "import { connectShared } from 'fastify-tidings/shared'; console.log(typeof connectShared)"
  t.equal(await run(process.execPath, ['--input-type=module', '-e', shared], folder), 'function\n')
  // React is the user's: without it the entry is not there, with it it is.
  const react = "import { useFeed } from 'fastify-tidings/react'; console.log(typeof useFeed)"
  await t.rejects(
    run(process.execPath, ['--input-type=module', '-e', react], folder),
    /Cannot find package 'react'/,
  )
  await install(folder, `react@${devDependencies.react}`)
  t.equal(await run(process.execPath, ['--input-type=module', '-e', react], folder), 'function\n')
})

t.test('from CommonJS by import()', async (t) => {
  t.equal(await run(process.execPath, ['app.cjs'], folder), 'hello\n')
})

t.test('what it adds to an app of Fastify is small, and has no warning of its own', async (t) => {
  const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  t.same(Object.keys(dependencies), ['@fastify/error', '@fastify/websocket', 'fastify-plugin', 'find-my-way'])
  const own = await emptyFolder(t)
  const measured = async (name: string) => {
    const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', name]
    const { stderr } = await exec('npm', args, { cwd: own, env: { ...process.env, ...UNCOVERED } })
    return {
      bytes: await sizeOf(join(own, 'node_modules')),
      engines: stderr.match(/EBADENGINE.*package:.*/g) ?? [],
    }
  }
  const before = await measured(`fastify@${devDependencies.fastify}`)
  const after = await measured(tarball)
  t.ok(after.bytes - before.bytes <= 1.5e6, `${after.bytes - before.bytes} bytes`)
  // Fastify may have some.
  t.same(after.engines, before.engines)
})

/** Bytes of all files in a folder. */
async function sizeOf(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

t.test('the commands of the other packages', async (t) => {
  await install(folder, packed['fastify-tidings-demo'], packed['fastify-tidings-bench'])
  const bin = (name: string) => join(folder, 'node_modules', '.bin', name)

  const child = new Child(t, bin('fastify-tidings-demo'), ['--port', '0'], UNCOVERED, folder)
  const url = await urlFrom(child)
  t.match(await (await fetch(url)).text(), /<title>Polling, long polling, SSE and WebSocket, live<\/title>/)
  t.equal((await fetch(`${url}/app/page.js`)).status, 200)
  child.process.kill('SIGTERM')
  t.same(await child.ended, { code: 0, signal: null })

  t.match(await run(bin('fastify-tidings-bench'), ['advise'], folder), /Rank.*ws/s)
  t.match(await run(bin('fastify-tidings-bench'), ['--help'], folder), /fastify-tidings-bench/)
  const files = await readdir(join(folder, 'node_modules', 'fastify-tidings-bench'), { recursive: true })
  t.ok(files.includes('dist/page/plots.js'))
  t.ok(files.includes('dist/results.schema.json'))
  t.notOk(files.some((file) => /(^|\/)(fanout|reproductions|results)(\/|$)/.test(file)))
})
