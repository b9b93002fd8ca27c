import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import qs from 'qs'
import t, { type Test } from 'tap'
import tidings from '../../../index.ts'
import { type Frame, listen } from '../../helper.ts'
import { ask } from '../../request.ts'

const HANDSHAKE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

const PARSERS: [string, FastifyServerOptions['querystringParser'] | undefined][] = [
  ["Fastify's own", undefined],
  ['qs', (text) => qs.parse(text)],
  ['qs with dots', (text) => qs.parse(text, { allowDots: true, comma: true })],
  ['URLSearchParams', (text) => new URLSearchParams(text) as never],
  ['without a prototype', (text) => Object.assign(Object.create(null), qs.parse(text))],
  ['one that types values', (text) => ({ ...new Map([['channel', { a: text }]]), cursor: 5, limit: true })],
  ['one that gives nothing', () => undefined as never],
]

async function start(t: Test, querystringParser: FastifyServerOptions['querystringParser']) {
  const app = Fastify({ ...(querystringParser && { routerOptions: { querystringParser } }) })
  t.teardown(() => app.close())
  await app.register(tidings, { publish: true })
  return { app: app as unknown as FastifyInstance, ...(await listen(app as unknown as FastifyInstance)) }
}

for (const [name, parser] of PARSERS) {
  t.test(`names and values, whatever parses the app's queries: ${name}`, async (t) => {
    const { app, url } = await start(t, parser)
    const { cursor } = await app.tidings.publish('a', 'of a')
    await app.tidings.publish('b', 'of b')
    await app.tidings.publish('default', 'of default')

    for (const mistake of [
      'channel[]=a',
      'channel%5B%5D=a',
      'channel%5b0%5d=a',
      'channel[0]=a',
      'channel[x][y]=a',
      'channels=a',
      'channels[]=a',
      'Channel=a',
      'CHANNELS=a',
      '%20channel=a',
      'channel=a&channels=b',
      'channel=',
      'channel=a%20b',
      'channel',
      `${'x=1&'.repeat(1500)}channel[]=a`,
    ]) {
      for (const [path, headers] of [
        ['/poll'],
        ['/longpoll'],
        ['/sse'],
        ['/ws', HANDSHAKE],
        ['/publish'],
      ] as const) {
        // A socket that names none starts with none.
        if (path === '/ws' && /^channel=?$/.test(mistake)) continue
        const method = path === '/publish' ? 'POST' : 'GET'
        const answer = await ask(`${url}${path}?${mistake}`, { method, headers: headers ?? {} })
        t.equal(answer.status, 400, `${path}?${mistake.slice(0, 30)}`)
        t.match(answer.json, { code: 'TIDINGS_ERR_CHANNEL', message: /'channel'/ })
      }
    }

    for (const [query, parameter] of [
      [`cursor=${cursor}&cursor=${cursor}`, 'cursor'],
      ['cursor=', 'cursor'],
      ['limit=1&limit=1', 'limit'],
      ['format=raw&format=raw', 'format'],
      ['format', 'format'],
    ]) {
      const answer = await ask(`${url}/poll?${query}`)
      t.match(answer.json, { statusCode: 400, message: new RegExp(`'${parameter}'`) }, `${query}`)
    }
    const twice = await ask(`${url}/longpoll?cursor=${cursor}&wait=0&wait=0`)
    t.match(twice.json, { statusCode: 400, message: /'wait' must be given once/ })

    for (const [query, data] of [
      ['', ['of default']],
      ['&channel=a', ['of a']],
      ['&channel=a&channel=b', ['of a', 'of b']],
      ['&channel=%61', ['of a']],
      ['&chan%6eel=a', ['of a']],
      ['&token=x&_=1&__proto__=b&constructor=b&channelz=b&lastEventId=x&toString=1', ['of default']],
      [`${'&x=1'.repeat(1500)}&channel=a`, ['of a']],
      ['&%E0%A4%A=b&channel=a', ['of a']],
    ] as const) {
      const { json } = await ask(`${url}/poll?cursor=earliest${query}`)
      t.strictSame(
        json.messages.map((message: Frame) => message.data),
        data,
        `…${query.slice(-60)}`,
      )
    }
    const posted = await ask(`${url}/publish?channel=c&x[]=y`, { method: 'POST', body: 'x' })
    t.match(posted.json, { channel: 'c' })
  })
}
