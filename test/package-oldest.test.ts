import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Child, ROOT, UNCOVERED, urlFrom } from './child.ts'
import { openSocket, openStream } from './helper.ts'
import { emptyFolder, install, pack, run } from './packed.ts'

/** The oldest versions that are supported. */
const OLDEST = { fastify: '5.3.0', typescript: '~5.4.0' }

const folder = await emptyFolder(t)
await cp(join(ROOT, 'test', 'fixtures', 'app'), folder, { recursive: true })
const { devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
const others = [`fastify@${OLDEST.fastify}`, `@types/node@${devDependencies['@types/node']}`]
await install(folder, (await pack())['fastify-tidings'], ...others)

t.test('its types, in each way to resolve modules, from the oldest TypeScript to ours', async (t) => {
  await install(folder, `typescript@${OLDEST.typescript}`)
  for (const path of [folder, ROOT]) {
    for (const resolution of ['nodenext', 'node16', 'bundler']) {
      const compilerOptions = {
        module: resolution === 'bundler' ? 'esnext' : resolution,
        moduleResolution: resolution,
        esModuleInterop: true,
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
      const tsc = join(path, 'node_modules', '.bin', 'tsc')
      await t.resolves(
        run(tsc, ['-p', config], folder),
        `${path === ROOT ? 'ours' : 'oldest'}, ${resolution}`,
      )
    }
  }
})

t.test('under the oldest Fastify of its range', async (t) => {
  const { peerDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  t.equal(peerDependencies.fastify, `^${OLDEST.fastify}`)
  await run(join(ROOT, 'node_modules', '.bin', 'tsc'), [], folder)
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
