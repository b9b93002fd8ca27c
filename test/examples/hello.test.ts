import t from 'tap'
import { Child, LOADER, UNCOVERED } from '../child.ts'
import { openSocket, openStream, SocketClient } from '../helper.ts'

t.test('the smallest whole program greets, logs, and serves its page', async (t) => {
  const child = new Child(t, process.execPath, [...LOADER, 'examples/hello.ts'], {
    ...UNCOVERED,
    PORT: '0',
  })
  const { msg } = await child.logged(/Server listening at/)
  const url = /http:\/\/127\.0\.0\.1:[0-9]+/.exec(msg)![0]

  const page = await fetch(`${url}/`)
  t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  t.match(await page.text(), /new WebSocket/)
  t.equal((await fetch(`${url}/hello`)).status, 426)

  const stream = await openStream(t, `${url}/live/sse`)
  await stream.next()
  const socket = await openSocket(t, `${url}/hello`)
  t.equal(await socket.frame(), 'hello')
  socket.send('good morning')
  await child.logged(/"received: good morning"/)
  t.match(JSON.parse((await stream.next()).data!), { data: 'good morning' })

  const foreign = new SocketClient(`${url}/hello`, [], { origin: 'https://elsewhere.example' })
  await t.rejects(foreign.opened, /403/)

  child.process.kill('SIGTERM')
  t.same(await socket.closed, { code: 1001, reason: '' })
  t.same(await child.ended, { code: 0, signal: null })
  t.equal(child.stderr, '')
})
