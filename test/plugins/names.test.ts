import t from 'tap'
import { build } from '../helper.ts'

t.test('plugins and hooks have names: tools show them', async (t) => {
  const { app } = await build(t, {
    publish: true,
    stats: true,
    echo: true,
    limits: { publish: () => true },
    authorize: () => true,
  })
  t.notMatch(app.printPlugins(), /=>|function/, 'no source')
  t.match(app.printPlugins(), /registerRoutes[\s\S]*registerSockets/)
  const routes = app.printRoutes({ includeHooks: true }).split('\n')
  // Those of @fastify/websocket are its own.
  const unnamed = routes.filter(
    (line) => /anonymous/.test(line) && !/onResponse|"anonymous\(\)","checkUpgrade/.test(line),
  )
  t.same(unnamed, [])
})
