import { AsyncLocalStorage } from 'node:async_hooks'
import { fastifyRequestContext } from '@fastify/request-context'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t from 'tap'
import type { GapError } from '../index.ts'
import { build, type Frame, live, openSocket, openStream, until } from './helper.ts'
import { ask } from './request.ts'

declare module '@fastify/request-context' {
  interface RequestContextData {
    user: string
  }
}

/** How an app carries who asks through its code. */
interface Carrier {
  name: string
  install(app: FastifyInstance, userOf: (request: FastifyRequest) => string): unknown
  user(): string | undefined
}

const storage = new AsyncLocalStorage<string>()
let requestContext: Frame

const CARRIERS: Carrier[] = [
  {
    name: 'AsyncLocalStorage',
    install(app, userOf) {
      app.addHook('onRequest', (request, _reply, done) => storage.run(userOf(request), done))
    },
    user: () => storage.getStore(),
  },
  {
    name: '@fastify/request-context',
    async install(app, userOf) {
      await app.register(fastifyRequestContext, {
        defaultStoreValues: (request: FastifyRequest) => ({ user: userOf(request) }),
      } as never)
      ;({ requestContext } = await import('@fastify/request-context'))
    },
    user: () => requestContext.get('user'),
  },
]

for (const { name, install, user } of CARRIERS) {
  t.test(`what is done later is done in the context of its own request: ${name}`, async (t) => {
    /** By whom it was asked, and in whose context that was done. */
    const seen: Record<string, [string, string | undefined][]> = { onSend: [], onResponse: [], authorize: [] }
    const permission = new AbortController()
    const userOf = (request: FastifyRequest) => String((request.query as Frame).user)
    const { app, url } = await build(
      t,
      {
        authorize(request, { action }) {
          seen.authorize!.push([userOf(request), user()])
          return action === 'publish' || userOf(request) !== 'revoked' ? true : permission.signal
        },
      },
      {
        before: async (app) => {
          await install(app, userOf)
          app.addHook('onSend', async (request) => void seen.onSend!.push([userOf(request), user()]))
          app.addHook('onResponse', async (request) => void seen.onResponse!.push([userOf(request), user()]))
        },
      },
    )
    const strictly = (hook: string, ...users: string[]) => {
      const found = seen[hook]!.splice(0)
      t.strictSame(
        found.filter(([asked]) => users.includes(asked)).sort(),
        users.map((each) => [each, each]).sort(),
        `${hook} of ${users}`,
      )
      for (const [asked, context] of found) t.equal(context, asked, hook)
    }

    const held = ['a', 'b', 'c'].map((each) => ask(`${url}/longpoll?cursor=now&user=${each}`))
    await live(app, 3)
    await ask(`${url}/publish?user=publisher`, { method: 'POST', body: 'x' })
    await Promise.all(held)
    strictly('authorize', 'a', 'b', 'c', 'publisher')
    strictly('onSend', 'a', 'b', 'c', 'publisher')
    await ask(`${url}/longpoll?cursor=now&wait=1&user=late`)
    strictly('onSend', 'late')

    // A permission that runs out in the turn of somebody else.
    const revoked = ask(`${url}/longpoll?cursor=now&user=revoked`)
    const stream = await openStream(t, `${url}/sse?user=revoked`)
    await live(app, 2)
    await until(() => seen.onResponse!.length >= 5)
    seen.onResponse!.length = 0
    storage.run('somebody else', () => permission.abort())
    t.equal((await revoked).status, 403)
    await stream.ended
    await until(() => seen.onResponse!.length === 2)
    strictly('onSend', 'revoked')
    strictly('onResponse', 'revoked', 'revoked')

    // Frames, and who answers them. They come in on the connection, which knows nothing of a request.
    seen.authorize!.length = 0
    const socket = await openSocket(t, `${url}/ws?user=socket`)
    await socket.json()
    for (const frame of [
      { type: 'publish', data: 1 },
      { type: 'subscribe', channel: 'b' },
      { type: 'publish', channel: 'c', data: 2 },
    ]) {
      socket.send({ ...frame, ref: 1 })
      while ((await socket.json()).ref !== 1);
    }
    const raw = await openSocket(t, `${url}/ws?user=raw&format=raw`)
    raw.send('mine')
    t.equal(await raw.frame(), 'mine')
    strictly('authorize', 'socket', 'socket', 'socket', 'socket', 'raw', 'raw')

    socket.ws.terminate()
    raw.ws.terminate()

    // A shutdown.
    const last = ask(`${url}/longpoll?channel=quiet&cursor=now&user=last`)
    const open = await openStream(t, `${url}/sse?channel=quiet&user=open`)
    await until(() => app.tidings.bus.log.groups.watching === 2)
    seen.onSend!.length = 0
    seen.onResponse!.length = 0
    await storage.run('whoever closes', () => app.close())
    t.equal((await last).status, 204)
    await open.ended
    strictly('onSend', 'last')
    strictly('onResponse', 'last', 'open')
  })
}

t.test("a program's loop runs in its own context", async (t) => {
  const { app } = await build(t, { retention: { messages: 1 } })
  const first = await app.tidings.publish('a', 0)
  await app.tidings.publish('a', 1)
  await app.tidings.publish('a', 2)
  const seen: unknown[] = []
  const loop = storage.run('reader', async () => {
    const onGap = ({ reason }: GapError) => seen.push([reason, storage.getStore()])
    for await (const { data } of app.tidings.subscribe('a', { cursor: first.cursor, onGap })) {
      seen.push([data, storage.getStore()])
      if (data === 4) break
    }
    seen.push(['end', storage.getStore()])
  })
  await live(app, 1)
  for (const data of [3, 4]) {
    await storage.run('publisher', () => app.tidings.publish('a', data))
    await until(() => seen.length > data - 1)
  }
  await loop
  t.strictSame(
    seen,
    ['trimmed', 2, 3, 4, 'end'].map((each) => [each, 'reader']),
  )
})
