import { createServer } from 'node:net'
import Fastify from 'fastify'
import t from 'tap'
import { FORMAT, resultsOf } from '../../benchmarks/json.ts'
import { procCpuOf } from '../../benchmarks/machine.ts'
import { planOf } from '../../benchmarks/plan.ts'
import { plotsOf } from '../../benchmarks/plots.ts'
import { report } from '../../benchmarks/report.ts'
import { Testbed } from '../../benchmarks/testbed.ts'
import { Child, LOADER, UNCOVERED } from '../child.ts'
import { build } from '../helper.ts'
import { quickForks, runs, small, wrong } from './small.ts'

t.test('an external app with a prefix; its CPU from /stats or /proc', async (t) => {
  quickForks(t)
  for (const stats of [true, false]) {
    const { url } = await build(t, { prefix: '/live', publish: true, stats })
    const outcome = await runs(small('--url', `${url}/live`, '--transports', 'longpoll'))
    t.same(wrong(outcome), [])
    const told = stats || procCpuOf(process.pid) !== undefined
    t.ok(outcome.rounds.every(({ cpuPerSecond }) => (cpuPerSecond === null) !== told))
    t.ok(
      outcome.rounds.every(({ trips }) => trips!.echo === undefined),
      'no /echo',
    )
    t.same(outcome.residuals, [])
    t.ok(report(outcome).includes('Latency, ms'))
    t.ok(plotsOf(outcome).some(({ id }) => id === 'latency'))
    t.match(resultsOf({ ...outcome, date: new Date(0) }), {
      format: FORMAT,
      date: '1970-01-01T00:00:00.000Z',
      settings: { url: `${url}/live` },
    })
  }
})

t.test('an app without a route ends the run with the error', async (t) => {
  quickForks(t)
  const { url } = await build(t, { publish: true, transports: ['poll'] })
  const testbed = new Testbed({ url: new URL(url) })
  t.teardown(() => testbed.end())
  const refused = async (kind: string, why: RegExp) => {
    const [section] = planOf(small('--url', url, '--transports', kind))
    await t.rejects(testbed.run(section!.blocks[0]![0]!), why)
  }
  await refused('longpoll', /\/longpoll returned 404/)
  await refused('sse', /\/sse returned HTTP\/1.1 404/)
  await refused('ws', /\/ws returned HTTP\/1.1 404/)
  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => closed.once('listening', resolve))
  const { port } = closed.address() as { port: number }
  await new Promise((resolve) => closed.close(resolve))
  await t.rejects(runs(small('--url', `http://127.0.0.1:${port}`)), /ECONNREFUSED/)
})

t.test('readers reconnect when an app closes keep-alive connections', async (t) => {
  quickForks(t)
  for (const server of [{ maxRequestsPerSocket: 3 }, {}]) {
    const { url, app } = await build(t, { publish: true }, { server })
    if (server.maxRequestsPerSocket === undefined) {
      // As after keepAliveTimeout, to which Node adds a second: requests sent meanwhile get no response.
      app.server.prependListener('request', ({ socket }, response) =>
        response.once('finish', () => setTimeout(() => socket.destroy(), 20)),
      )
    }
    const outcome = await runs(small('--url', url, '--transports', 'poll,longpoll', '--poll-interval', '60'))
    t.same(wrong(outcome), [], JSON.stringify(server))
    for (const { variant, connections } of outcome.rounds) {
      t.ok(connections > 4, `${variant}: ${connections}`)
    }
  }
})

t.test('an app that closes the connection after each response', async (t) => {
  quickForks(t)
  const { url, app } = await build(t, { publish: true })
  app.server.prependListener('request', (_, response) => response.setHeader('connection', 'close'))
  const outcome = await runs(small('--url', url, '--transports', 'poll'))
  t.same(wrong(outcome), [])
  const [{ requests, deliveries, connections } = { requests: 0, deliveries: 0, connections: 0 }] =
    outcome.rounds
  t.ok(deliveries > 0 && connections >= requests! * deliveries, 'one connection per request')
})

t.test('an unsuitable app gives a one-line error before the run', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.get('/live/poll', async () => ({ cursor: 'a.1', messages: [], more: false }))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  for (const [path, why] of [
    [
      '/',
      `--url '${url}/' is not an app with fastify-tidings: GET ${url}/poll returned 404; if the plugin has a prefix, add it to the URL`,
    ],
    [
      '/live',
      `--url '${url}/live' does not let clients publish: POST ${url}/live/publish returned 404; set the plugin's option publish: true`,
    ],
  ] as const) {
    await t.rejects(runs(small('--url', url + path)), { message: why, exitCode: 2 })
  }
})

t.test('a limit of open files that is too low is reported before the run', async (t) => {
  const command = `ulimit -n 60; exec ${process.execPath} ${LOADER.join(' ')} benchmarks/cli.ts --quick`
  const child = new Child(t, 'bash', ['-c', command], UNCOVERED)
  t.same(await child.ended, { code: 2, signal: null })
  t.equal(
    child.stderr,
    'fastify-tidings-bench: 100 connections need 200 open files, but the limit is 60: run ulimit -n 200\n',
  )
})
