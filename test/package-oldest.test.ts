import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Child, ROOT, UNCOVERED, urlFrom } from './child.ts'
import { openSocket, openStream } from './helper.ts'
import { emptyFolder, install, pack, run } from './packed.ts'

/** The oldest versions that are supported. */
const OLDEST = { fastify: '5.3.0', typescript: '~5.4.0' }
/** The newest TypeScript. The project itself is built with an older one. */
const NEWEST = '~7.0.2'

const folder = await emptyFolder(t)
await cp(join(ROOT, 'test', 'fixtures', 'app'), folder, { recursive: true })
const { devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
const others = [`fastify@${OLDEST.fastify}`, `@types/node@${devDependencies['@types/node']}`]
await install(folder, (await pack())['fastify-tidings'], ...others)

t.test('its types, in each way to resolve modules, in the oldest TypeScript and the newest', async (t) => {
  for (const version of [OLDEST.typescript, NEWEST]) {
    await install(folder, `typescript@${version}`)
    for (const resolution of ['nodenext', 'node16', 'bundler']) {
      const compilerOptions = {
        module: resolution === 'bundler' ? 'esnext' : resolution,
        moduleResolution: resolution,
        target: 'es2022',
        lib: ['es2023', 'dom', 'dom.iterable'],
        types: ['node'],
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
        noEmit: true,
      }
      const config = join(folder, 'tsconfig.case.json')
      await writeFile(config, JSON.stringify({ compilerOptions, files: ['app.ts', 'channels.ts'] }))
      const tsc = join(folder, 'node_modules', '.bin', 'tsc')
      await t.resolves(run(tsc, ['-p', config], folder), `${version}, ${resolution}`)
    }
  }
})

t.test('under the oldest Fastify of its range', async (t) => {
  const { peerDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  t.equal(peerDependencies.fastify, `^${OLDEST.fastify}`)
  await run(join(folder, 'node_modules', '.bin', 'tsc'), [], folder)
  const child = new Child(t, process.execPath, ['app.js'], UNCOVERED, folder)
  const url = `${await urlFrom(child)}/live`
  t.match(await child.logged(/heard/), { msg: 'heard hello' })
  const ws = await openSocket(t, `${url}/ws?channel=news&cursor=earliest`)
  t.match(await ws.json(), { type: 'ready' })
  t.match(await ws.json(), { data: { hello: 'world' } })
  const stream = await openStream(t, `${url}/sse?channel=news&cursor=earliest`)
  t.match(await stream.next(), { event: 'ready' })
  t.match(JSON.parse((await stream.next()).data!), { data: { hello: 'world' } })
  t.match(await (await fetch(`${url}/poll?cursor=abcd.1`)).json(), { statusCode: 410, reason: 'epoch' })
  t.match(await (await fetch(`${url}/longpoll?limit=x`)).json(), { statusCode: 400 })
})
