import Fastify from 'fastify'
import t from 'tap'
import tidings from '../index.ts'
import metrics from '../metrics/index.ts'
import { TYPE, textOf } from '../metrics/prometheus.ts'
import { listen, openSocket, openStream } from './helper.ts'
import { ask } from './request.ts'

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const SAMPLE = /^([a-zA-Z0-9_:]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.e+-]+)$/

/** As promtool reads it: each metric once, with its help and its type before its samples. @throws where it would not */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  const seen = new Set<string>()
  let family = ''
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.slice(0, -1).split('\n')) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (kind === 'HELP') {
      if (!NAME.test(name!) || seen.has(name!)) throw new Error(line)
      seen.add(name!)
      family = name!
    } else if (kind === 'TYPE') {
      if (name !== family || !/^(counter|gauge)$/.test(rest!)) throw new Error(line)
      if ((rest === 'counter') !== name.endsWith('_total')) throw new Error(line)
    } else {
      const [, sample, labels = '', value] = SAMPLE.exec(line) ?? []
      if (sample !== family || Number.isNaN(Number(value)) || samples.has(`${sample} ${labels}`))
        throw new Error(line)
      samples.set(`${sample} ${labels}`.trim(), Number(value))
    }
  }
  return samples
}

t.test('counts are those of the clients', async (t) => {
  const app = Fastify()
  t.teardown(() => {
    app.server.closeAllConnections()
    return app.close()
  })
  await app.register(tidings, { stats: true, retention: { messages: 3 }, prefix: '/live' })
  await app.register(metrics, { path: '/prometheus' })
  const { url } = await listen(app)
  for (let i = 0; i < 5; i++) await app.tidings.publish('a', i)
  const page = await ask(`${url}/live/poll?channel=a&cursor=earliest`)
  const stream = await openStream(t, `${url}/live/sse?channel=a&cursor=last:2`)
  for (let i = 0; i < 3; i++) await stream.next()
  const socket = await openSocket(t, `${url}/live/ws?channel=a&cursor=${app.tidings.bus.log.cursor(0)}`)
  for (let i = 0; i < 5; i++) await socket.json()
  const { text, headers } = await ask(`${url}/prometheus`)
  t.equal(headers['content-type'], TYPE)
  const samples = parse(text)
  t.equal(samples.get('tidings_published_messages_total'), 5)
  t.equal(samples.get('tidings_delivered_messages_total transport="poll"'), page.json.messages.length)
  t.equal(samples.get('tidings_delivered_messages_total transport="sse"'), 2)
  t.equal(samples.get('tidings_delivered_messages_total transport="ws"'), 3)
  t.equal(samples.get('tidings_gaps_total transport="ws",reason="trimmed"'), 1)
  t.equal(samples.get('tidings_open_connections transport="ws"'), 1)
  t.equal(samples.get('tidings_log_head'), 5)
  t.equal(samples.get('tidings_log_messages'), 3)
  t.equal(samples.get('tidings_bus_connected'), 1)
  t.ok(samples.get('tidings_sent_bytes_total transport="sse"')! > 100)
  t.ok(samples.size > 25, `${samples.size}`)
})

t.test('it needs the plugin before it', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => app.register(metrics), /fastify-tidings/)
})

t.test('labels are escaped, and what has no sample is left out', async (t) => {
  const text = textOf([
    { name: 'a_total', type: 'counter', help: 'A.', samples: [[{ x: '"\\\n' }, 1]] },
    { name: 'b', type: 'gauge', help: 'B.', samples: [] },
  ])
  t.equal(text, '# HELP a_total A.\n# TYPE a_total counter\na_total{x="\\"\\\\\\n"} 1\n')
  t.equal(parse(text).size, 1)
})
