import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import Ajv from 'ajv'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import t from 'tap'
import { generated } from '../../scripts/docs.ts'
import { CLIENT_FRAMES, END, ENVELOPE, GAP, PAGE, READY, SERVER_FRAMES } from '../../scripts/schemas.ts'
import { ROOT } from '../child.ts'
import { build, type Frame, openSocket, openStream, post } from '../helper.ts'
import { ask } from '../request.ts'

const read = async (path: string) => readFile(join(ROOT, path), 'utf8')

t.test('what is generated is up to date: npm run docs', async (t) => {
  for (const [path, text] of Object.entries(await generated())) t.equal(await read(path), text, path)
})

t.test('OpenAPI 3.1', async (t) => {
  const document = JSON.parse(await read('docs/openapi.json'))
  t.equal(document.openapi, '3.1.0')
  t.match(await new Validator().validate(document), { valid: true })

  const { app, url } = await build(t, { publish: true, stats: true, echo: true, retention: { messages: 1 } })
  const names = ['/echo', '/longpoll', '/poll', '/publish', '/sse', '/stats', '/ws']
  t.strictSame(Object.keys(document.paths).sort(), names)
  const ajv = new Ajv2020.default({ strict: false })
  ajv.addSchema(document, 'openapi')
  const isValid = (name: string, data: unknown) => {
    const validate = ajv.compile({ $ref: `openapi#/components/schemas/${name}` })
    t.ok(validate(data), `${name}: ${ajv.errorsText(validate.errors)}`)
  }
  isValid('Accepted', (await post(`${url}/publish`, 'x')).body)
  await app.tidings.publish('default', Uint8Array.of(1))
  isValid('Page', (await ask(`${url}/poll?cursor=earliest`)).json)
  isValid('GapError', (await ask(`${url}/poll?cursor=${app.tidings.bus.log.cursor(0)}`)).json)
  isValid('Error', (await ask(`${url}/ws`)).json)
  isValid('Stats', (await ask(`${url}/stats`)).json)
  t.notOk(ajv.compile({ $ref: 'openapi#/components/schemas/Page' })({ cursor: 'abcd.1' }))
})

t.test('AsyncAPI 3', async (t) => {
  const document = JSON.parse(await read('docs/asyncapi.json'))
  const schema = JSON.parse(await read('node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json'))
  const ajv = new Ajv.default({ strict: false, allErrors: false })
  addFormats.default(ajv)
  const validate = ajv.compile(schema)
  t.ok(validate(document), ajv.errorsText(validate.errors))
  t.notOk(validate({ ...document, channels: { ws: { address: 1 } } }))
  for (const { messages } of Object.values<Frame>(document.operations)) {
    for (const { $ref } of messages) {
      const found = $ref
        .slice(2)
        .split('/')
        .reduce((at: Frame, name: string) => at?.[name], document)
      t.type(found?.payload, 'object', $ref)
    }
  }
})

t.test('frames and events are as they are described', async (t) => {
  const ajv = new Ajv2020.default({ strict: false })
  const isValid = (schema: object, data: unknown, name: string) => {
    const validate = ajv.compile(schema)
    t.ok(validate(data), `${name}: ${ajv.errorsText(validate.errors)}`)
  }
  const { app, url } = await build(t, { publish: true, retention: { messages: 1 } })
  const { log } = app.tidings.bus
  for (const n of [1, 2]) await app.tidings.publish('a', n)
  const socket = await openSocket(t, `${url}/ws?cursor=${log.cursor(0)}&channel=a`)
  const sent: Frame[] = [
    { type: 'ping', ref: 1 },
    { type: 'publish', channel: 'other', data: 'eA==', encoding: 'base64', key: 'k', ref: 2 },
    { type: 'subscribe', channel: 'other', cursor: 'earliest', ref: 3 },
    { type: 'publish', channel: 'other', data: 'eA==', encoding: 'base64', end: true },
    { type: 'unsubscribe', channel: 'other', ref: 4 },
    { type: 'unsubscribe', channel: 'other', ref: 5 },
  ]
  for (const frame of sent) {
    isValid(CLIENT_FRAMES[frame.type]!, frame, frame.type)
    socket.send(frame)
  }
  const types = new Set<string>()
  for (let last = false; !last; ) {
    const frame = await socket.json()
    const { type = 'envelope', ref } = frame
    types.add(type)
    isValid(type === 'envelope' ? ENVELOPE : SERVER_FRAMES[type]!, frame, type)
    last = ref === 5
  }
  t.strictSame([...types].sort(), ['envelope', ...Object.keys(SERVER_FRAMES)].sort())

  const page = await ask(`${url}/poll?cursor=earliest&channel=other`)
  isValid(PAGE(ENVELOPE), page.json, 'a page with an end')
  t.match(page.json, { messages: [{ end: true }], ended: ['other'] })
  await app.tidings.publish('a', 3)
  const stream = await openStream(t, `${url}/sse?cursor=${log.cursor(0)}&channel=a&channel=other`)
  for (const [event, schema] of [
    ['ready', READY],
    ['gap', GAP],
    ['end', END],
    [undefined, ENVELOPE],
  ] as const) {
    const block = await stream.next()
    t.equal(block.event, event)
    isValid(schema, JSON.parse(block.data!), event ?? 'message')
  }
})
