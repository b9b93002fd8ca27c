import t from 'tap'
import { build, openRaw, openSocket, until } from './helper.ts'
import { ask } from './request.ts'
import { resetConnection } from './reset-connection.ts'

const PATHS = ['/poll', '/longpoll?cursor=now', '/sse', '/stats']

/** A server whose `authorize` answers what is asked about channel `never` at no time. */
function start(t: Parameters<typeof build>[0], maxReaders = 100) {
  let asked = 0
  const authorize = (
    _request: unknown,
    { channels, action }: { channels: readonly string[]; action: string },
  ) => {
    if (!channels.includes('never') && action !== 'stats') return true
    asked++
    return new Promise<boolean>(() => {})
  }
  return build(t, { stats: true, authorize, maxReaders }, { server: { forceCloseConnections: false } }).then(
    (built) => ({
      ...built,
      asked: () => asked,
    }),
  )
}

const pathFor = (path: string) => `${path}${path.includes('?') ? '&' : '?'}channel=never`

t.test('an answer that never comes does not hold up the end of the server', async (t) => {
  const { app, url, asked } = await start(t)
  const answers = PATHS.map((path) => ask(url + pathFor(path)))
  const published = ask(`${url}/publish?channel=never`, { method: 'POST', body: 'x' })
  const socket = await openSocket(t, `${url}/ws`)
  await socket.json()
  socket.send({ type: 'subscribe', channel: 'never' })
  await until(() => asked() === PATHS.length + 2)
  await app.close()
  for (const { status } of await Promise.all([...answers, published])) t.equal(status, 503)
  t.match(await socket.closed, { code: 1001 })
})

t.test('as many wait as there are places, and those whose client has gone give theirs back', async (t) => {
  const { app, port, url, asked } = await start(t, 3)
  const waiting = []
  for (let i = 0; i < 3; i++) {
    const raw = await openRaw(t, port)
    raw.socket.write('GET /poll?channel=never HTTP/1.1\r\nHost: x\r\n\r\n')
    waiting.push(raw)
  }
  await until(() => asked() === 3)
  t.equal((await ask(`${url}/poll?channel=never`)).status, 503)
  t.equal((await ask(`${url}/poll`)).status, 200, 'what is answered at once takes no place')
  resetConnection(waiting[0]!.socket)
  const open = () =>
    new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)))
  while ((await open()) > 2) await new Promise(setImmediate)
  const again = await openRaw(t, port)
  again.socket.write('GET /poll?channel=never HTTP/1.1\r\nHost: x\r\n\r\n')
  const before = asked()
  await until(() => asked() > before)
  t.equal((await ask(`${url}/poll?channel=never`)).status, 503, 'the place is taken again')
  t.equal(again.socket.bytesRead, 0, 'by this one')
})
