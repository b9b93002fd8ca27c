import { channel } from 'node:diagnostics_channel'
import {
  AggregationTemporality,
  type HistogramMetricData,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import Fastify from 'fastify'
import parsePrometheus from 'parse-prometheus-text-format'
import t, { type Test } from 'tap'
import tidings from '../index.ts'
import { Histogram } from '../metrics/histogram.ts'
import metrics, { type MetricsOptions } from '../metrics/index.ts'
import { TYPE, textOf } from '../metrics/prometheus.ts'
import { listen, live, openSocket, openStream } from './helper.ts'
import { ask } from './request.ts'

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const SAMPLE = /^([a-zA-Z0-9_:]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.e+-]+)$/

/** As promtool reads it: each metric once, with its help and its type before its samples. @throws where it would not */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  const seen = new Set<string>()
  let [family, type] = ['', '']
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.slice(0, -1).split('\n')) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (kind === 'HELP') {
      if (!NAME.test(name!) || seen.has(name!)) throw new Error(line)
      seen.add(name!)
      family = name!
    } else if (kind === 'TYPE') {
      if (name !== family || !/^(counter|gauge|histogram)$/.test(rest!)) throw new Error(line)
      if ((rest === 'counter') !== name.endsWith('_total')) throw new Error(line)
      type = rest!
    } else {
      const [, sample, labels = '', value] = SAMPLE.exec(line) ?? []
      const parts = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
      if (!parts.some((part) => sample === family + part)) throw new Error(line)
      if (Number.isNaN(Number(value)) || samples.has(`${sample} ${labels}`)) throw new Error(line)
      if ((sample === `${family}_bucket`) !== /(^|,)le="/.test(labels)) throw new Error(line)
      samples.set(`${sample} ${labels}`.trim(), Number(value))
    }
  }
  // Buckets are cumulative, and the last one has all.
  for (const [sample, value] of samples) {
    const [, name, labels] = /^(.+)_count ?(.*)$/.exec(sample) ?? []
    if (name === undefined) continue
    const bucket = `${name}_bucket ${labels}`.trim()
    const ofIt = [...samples].filter(([each]) => each.replace(/[ ,]le="[^"]+"$/, '') === bucket)
    const counts = ofIt.map(([, count]) => count)
    if (counts.at(-1) !== value || counts.some((count, i) => count < (counts[i - 1] ?? 0)))
      throw new Error(sample)
  }
  return samples
}

/** The samples of counters and gauges, as a library reads them. It drops the labels of histograms. */
function parseByLibrary(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const { name, type, metrics } of parsePrometheus(text)) {
    if (type === 'HISTOGRAM') continue
    for (const { value, labels = {} } of metrics) {
      const all = Object.entries(labels).map(([label, of]) => `${label}="${of}"`)
      samples.set(`${name} ${all.join()}`.trim(), Number(value))
    }
  }
  return samples
}

const POLLS = 3

/** Traffic on all transports, and what its clients have counted. */
async function traffic(t: Test, options: MetricsOptions) {
  const app = Fastify()
  t.teardown(() => {
    app.server.closeAllConnections()
    return app.close()
  })
  await app.register(tidings, { stats: true, publish: true, retention: { messages: 3 }, prefix: '/live' })
  await app.register(metrics, options)
  const { url } = await listen(app)
  for (let i = 0; i < 5; i++) await app.tidings.publish('a', i)
  const counted = { poll: 0, longpoll: 0, sse: 0, ws: 0 }
  for (let i = 0; i < POLLS; i++) {
    counted.poll += (await ask(`${url}/live/poll?channel=a&cursor=earliest`)).json.messages.length
  }
  t.equal((await ask(`${url}/live/poll?channel=a&cursor=${app.tidings.bus.log.cursor(0)}`)).status, 410)
  const stream = await openStream(t, `${url}/live/sse?channel=a&cursor=last:2`)
  await stream.next()
  for (; counted.sse < 2; counted.sse++) await stream.next()
  const socket = await openSocket(t, `${url}/live/ws?channel=a&cursor=${app.tidings.bus.log.cursor(0)}`)
  await socket.json()
  t.match(await socket.json(), { type: 'gap' })
  for (; counted.ws < 3; counted.ws++) await socket.json()
  const held = ask(`${url}/live/longpoll?channel=a&cursor=now`)
  await live(app, 3)
  await app.tidings.publish('a', 'to all three')
  counted.longpoll += (await held).json.messages.length
  await stream.next()
  counted.sse++
  await socket.json()
  counted.ws++
  socket.ws.close()
  await socket.closed
  await live(app, 1)
  return { app, url, counted }
}

/** Metrics by name and labels. */
function check(t: Test, counted: Record<string, number>, get: (name: string, labels?: string) => unknown) {
  t.equal(get('published.messages'), 6)
  for (const [transport, count] of Object.entries(counted)) {
    t.equal(get('delivered.messages', `transport="${transport}"`), count, transport)
    t.ok(Number(get('sent.bytes', `transport="${transport}"`)) > 100, transport)
    t.equal(get('requests', `transport="${transport}"`), transport === 'poll' ? POLLS + 1 : 1, transport)
    t.equal(get('open.connections', `transport="${transport}"`), transport === 'sse' ? 1 : 0, transport)
  }
  t.equal(get('gaps', 'transport="ws",reason="trimmed"'), 1)
  t.equal(get('gaps', 'transport="poll",reason="trimmed"'), 1)
  t.equal(get('closed.readers', 'transport="ws",reason="client"'), 1)
  t.equal(get('closed.readers', 'transport="longpoll",reason="answered"'), 1)
  t.equal(get('log.head'), 6)
  t.equal(get('log.messages'), 3)
  t.equal(get('bus.connected'), 1)
  t.equal(get('follower.lag'), 0)
}

t.test('Prometheus: counts are those of the clients', async (t) => {
  const { url, counted } = await traffic(t, { path: '/prometheus' })
  const { text, headers } = await ask(`${url}/prometheus`)
  t.equal(headers['content-type'], TYPE)
  const samples = parse(text)
  const plain = [...samples].filter(([name]) => !/^\S+_(bucket|sum|count)( |$)/.test(name))
  t.strictSame([...parseByLibrary(text)], plain)
  check(t, counted, (name, labels = '') => {
    const of = (end: string) => samples.get(`tidings_${name.replaceAll('.', '_')}${end} ${labels}`.trim())
    return of('_total') ?? of('')
  })
  t.equal(samples.get('tidings_delivery_delay_seconds_count'), 1, 'one batch, for all three')
  t.equal(samples.get('tidings_reader_duration_seconds_count transport="longpoll"'), 1)
  t.equal(samples.get('tidings_reader_duration_seconds_bucket transport="ws",le="+Inf"'), 1)
  t.ok(samples.size > 25, `${samples.size}`)
})

t.test('OpenTelemetry: the same, by its own SDK', async (t) => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 31 - 1 })
  const provider = new MeterProvider({ readers: [reader] })
  t.teardown(() => provider.shutdown())
  const { app, url, counted } = await traffic(t, { meter: provider.getMeter('test') })
  t.equal((await ask(`${url}/metrics`)).status, 404, 'no route')
  const collect = async () => {
    await provider.forceFlush()
    const all = exporter
      .getMetrics()
      .at(-1)!
      .scopeMetrics.flatMap(({ metrics }) => metrics)
    return new Map(all.map((metric) => [metric.descriptor.name, metric]))
  }
  const all = await collect()
  check(t, counted, (name, labels = '') => {
    const points = all.get(`tidings.${name}`)!.dataPoints
    const found = points.find(
      ({ attributes }) =>
        Object.entries(attributes)
          .map(([label, value]) => `${label}="${value}"`)
          .join() === labels,
    )
    return found?.value
  })
  t.match(all.get('tidings.published.bytes')!.descriptor, { unit: 'By', description: /envelopes/ })
  const held = all.get('tidings.reader.duration') as HistogramMetricData
  t.strictSame(held.dataPoints.map(({ attributes, value }) => [attributes.transport, value.count]).sort(), [
    ['longpoll', 1],
    ['ws', 1],
  ])
  t.equal(held.descriptor.unit, 's')
  await app.tidings.publish('a', 'more')
  t.equal((await collect()).get('tidings.published.messages')!.dataPoints[0]!.value, 7)
  let reads = 0
  const { tidings } = app
  const stats = tidings.stats.bind(tidings)
  tidings.stats = () => {
    reads++
    return stats()
  }
  await collect()
  t.equal(reads, 1, 'one look for all figures')
  app.server.closeAllConnections()
  await app.close()
  await collect()
  t.equal(reads, 1, 'a closed app is read no more')
  t.notOk(channel('tidings.publish').hasSubscribers)
})

t.test('the buckets of a histogram', async (t) => {
  const histogram = new Histogram([1, 2])
  for (const value of [0, 1, 1.5, 2, 3]) histogram.record(value)
  const heard: number[] = []
  histogram.onRecord = (value) => heard.push(value)
  histogram.record(9, { x: 'y' })
  t.strictSame(heard, [9])
  const samples = parse(textOf([], [{ name: 'h', unit: 's', help: 'H.', histogram }]))
  t.strictSame(
    [...samples],
    [
      ['tidings_h_seconds_bucket le="1"', 2],
      ['tidings_h_seconds_bucket le="2"', 4],
      ['tidings_h_seconds_bucket le="+Inf"', 5],
      ['tidings_h_seconds_sum', 7.5],
      ['tidings_h_seconds_count', 5],
      ['tidings_h_seconds_bucket x="y",le="1"', 0],
      ['tidings_h_seconds_bucket x="y",le="2"', 0],
      ['tidings_h_seconds_bucket x="y",le="+Inf"', 1],
      ['tidings_h_seconds_sum x="y"', 9],
      ['tidings_h_seconds_count x="y"', 1],
    ],
  )
})

t.test('it needs the plugin before it', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => app.register(metrics), /fastify-tidings/)
})

t.test('labels are escaped, and what has no sample is left out', async (t) => {
  const text = textOf([
    { name: 'a', unit: '1', type: 'counter', help: 'A.', samples: [[{ x: '"\\\n' }, 1]] },
    { name: 'b', unit: '1', type: 'gauge', help: 'B.', samples: [] },
  ])
  t.equal(
    text,
    '# HELP tidings_a_total A.\n# TYPE tidings_a_total counter\ntidings_a_total{x="\\"\\\\\\n"} 1\n',
  )
  t.equal(parse(text).size, 1)
})
