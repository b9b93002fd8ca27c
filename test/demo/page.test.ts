import t from 'tap'
import { page as servePage } from '../../demo/page.ts'
import { build } from '../helper.ts'

t.test('stands under a prefix', async (t) => {
  const prefix = '/live'
  const { url } = await build(
    t,
    { prefix, publish: true, transports: ['poll', 'ws'] },
    { before: (app) => app.register(servePage, { prefix }) },
  )
  const moved = await fetch(`${url}/live`, { redirect: 'manual' })
  t.match({ status: moved.status, to: moved.headers.get('location') }, { status: 302, to: '/live/' })
  const page = await fetch(`${url}/live/`)
  t.match(await page.text(), /<title>Polling, long polling, SSE and WebSocket, live<\/title>/)
  t.match(page.headers.get('content-security-policy'), /default-src 'self'/)
  t.equal((await fetch(`${url}/live/lib/client/index.js`)).status, 200)
  t.equal((await fetch(`${url}/live/page.js`)).headers.get('cache-control'), 'no-cache')
})

t.test('is told which of its parts are there', async (t) => {
  const { url } = await build(
    t,
    { publish: true, transports: ['poll', 'ws'] },
    { before: (app) => app.register(servePage) },
  )
  t.same(await (await fetch(`${url}/page.json`)).json(), {
    publish: true,
    poll: true,
    longpoll: false,
    sse: false,
    ws: true,
    echo: false,
    stats: false,
    demo: false,
  })
})
