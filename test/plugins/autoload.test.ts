import autoload from '@fastify/autoload'
import Fastify from 'fastify'
import t, { type Test } from 'tap'

/** An app whose plugins are files, each given the options of all, as fastify-cli makes it. */
function appOf(t: Test, plugins: Record<string, string>) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(autoload, { dir: t.testdir(plugins), options: { greeting: 'hello' }, forceESM: true })
  return app
}

const greeter = {
  'greeter.mjs': `
    export default async (app, { greeting }) => app.get('/greet', () => greeting)`,
}

t.test('a file that registers it with options of its own, beside one with other options', async (t) => {
  const app = appOf(t, {
    ...greeter,
    'tidings.mjs': `
      import tidings from 'fastify-tidings'
      export default async (app) => app.register(tidings, { prefix: '/live', publish: true })`,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const url = app.listeningOrigin
  t.equal(await (await fetch(`${url}/greet`)).text(), 'hello')
  t.equal((await fetch(`${url}/live/publish`, { method: 'POST', body: 'hi' })).status, 201)
  t.match(await (await fetch(`${url}/live/poll?cursor=earliest`)).json(), { messages: [{ data: 'hi' }] })
})

t.test(
  'options for all plugins are no options of it: the error names the option and the plugin',
  async (t) => {
    const app = appOf(t, {
      ...greeter,
      'tidings.mjs': `
      export { default } from 'fastify-tidings'
      export const autoConfig = { prefix: '/live' }`,
    })
    await t.rejects(async () => app.ready(), {
      code: 'TIDINGS_ERR_OPTION',
      message: /'greeting' is not an option of fastify-tidings/,
    })
  },
)

t.test('a file that is the plugin, with its options in autoConfig', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const dir = t.testdir({
    'tidings.mjs': `
      export { default } from 'fastify-tidings'
      export const autoConfig = { prefix: '/live' }`,
  })
  app.register(autoload, { dir, forceESM: true })
  await app.ready()
  t.equal((await app.inject('/live/poll')).statusCode, 200)
  t.type(app.tidings.publish, 'function', 'the app sees it')
})
