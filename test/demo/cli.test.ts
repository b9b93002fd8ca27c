import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { Child, cli, startApp, UNCOVERED, urlFrom } from '../child.ts'
import { openRaw, openSocket, openStream, post } from '../helper.ts'

/** The program ends at once, with one line that says why. */
async function refuses(t: Test, args: string[], why: RegExp, env: NodeJS.ProcessEnv = {}) {
  const child = cli(t, args, env)
  t.same(await child.ended, { code: 1, signal: null })
  t.match(child.stderr, why)
  t.equal(child.stderr.trimEnd().split('\n').length, 1, 'one line')
  t.equal(child.stdout, '')
}

t.test('--help says what there is', async (t) => {
  const child = cli(t, ['--help'])
  t.same(await child.ended, { code: 0, signal: null })
  for (const word of [
    '--host',
    '--port',
    '--allow-host',
    '--bus',
    '--drain',
    '--help',
    'HOST',
    'PORT',
    'LOG_LEVEL',
  ]) {
    t.ok(child.stdout.includes(word), word)
  }
  t.equal(child.stderr, '')
})

t.test('what is wrong is said in one line, with exit code 1', async (t) => {
  const cases: [args: string[], why: RegExp, env?: NodeJS.ProcessEnv][] = [
    [['--nope'], /'--nope'.*--help/],
    [['--port', '-1'], /'--port'/],
    [['toString'], /Unexpected argument 'toString'.*--help/],
    [['--port', '65536'], /Port '65536' must be a whole number from 0 to 65535/],
    [[], /Port 'http' must be/, { PORT: 'http' }],
    [[], /LOG_LEVEL 'loud' must be one of trace/, { LOG_LEVEL: 'loud' }],
    [['--host='], /Host must be/],
    [['--allow-host', 'http://example.com'], /Name 'http:\/\/example\.com' of --allow-host must be/],
    [['--bus', 'http://127.0.0.1:6379'], /Option 'url' must begin with redis:\/\/ or rediss:\/\//],
    [['--drain', '1.5'], /Time '1\.5' of --drain must be a whole number of seconds/],
    // RFC 5737: an address that is nobody's
    [['--host', '192.0.2.1', '--port', '0'], /'192\.0\.2\.1', from --host, .*EADDRNOTAVAIL/],
    [
      [],
      /'x86_64-conda-linux\.invalid', from HOST in the environment, is not an address.*--host/,
      { HOST: 'x86_64-conda-linux.invalid' },
    ],
    [['--host=[::2'], /'\[::2', from --host/],
  ]
  for (const [args, why, env] of cases) {
    await t.test(`${args.join(' ')} ${JSON.stringify(env ?? {})}`, (t) => refuses(t, args, why, env))
  }
})

t.test('a port that is taken', async (t) => {
  const other = createServer()
  t.teardown(() => other.close())
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  const why = new RegExp(`Port ${port} of 127\\.0\\.0\\.1 is in use.*--port`)
  await refuses(t, ['--port', String(port)], why)
  await refuses(t, [], why, { PORT: String(port), LOG_LEVEL: 'silent' })
})

t.test('HOST, PORT and LOG_LEVEL; flags win', async (t) => {
  const child = cli(t, [], { HOST: 'localhost', PORT: '0', LOG_LEVEL: 'debug' })
  const url = await urlFrom(child)
  t.not(new URL(url).port, '3000')
  await fetch(`${url}/poll?cursor=nonsense`)
  const line = await child.logged(/Parameter 'cursor'/)
  t.match(line, { level: 30, method: 'GET', path: '/poll?cursor=nonsense', statusCode: 400 })
  t.notOk('err' in line, 'without a stack')

  const other = cli(t, ['--host', '127.0.0.1', '--port', '0'], { HOST: '192.0.2.1', PORT: 'none' })
  t.match(await urlFrom(other), /^http:\/\/127\.0\.0\.1:[0-9]+$/)
})

t.test('--allow-host', async (t) => {
  const { url } = await startApp(t, ['--allow-host', 'Tidings.Example', '--allow-host', '::2'])
  const { port } = new URL(url)
  for (const [host, status] of [
    ['tidings.example', 200],
    ['tidings.example:8080', 200],
    ['[::2]', 200],
    ['other.example', 421],
  ] as const) {
    const raw = await openRaw(t, Number(port))
    raw.socket.write(`GET /poll HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    t.match(await raw.until('\r\n\r\n'), new RegExp(`^HTTP/1.1 ${status} `), host)
  }
})

t.test('what comes in over a socket is in the log', async (t) => {
  const { child, url } = await startApp(t)
  const ws = await openSocket(t, `${url}/ws`)
  ws.send({ type: 'publish', channel: 'news', data: 'from a socket' })
  t.match(await child.logged(/received a frame over a socket/), { path: '/ws', frame: /from a socket/ })
  const echo = await openSocket(t, `${url}/echo`)
  echo.send('heard')
  t.equal(await echo.frame(), 'heard')
  t.match(await child.logged(/"path":"\/echo"/), { frame: 'heard' })
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} closes with grace, also where it comes twice`, async (t) => {
    const { child, url } = await startApp(t)
    const { body } = await post(`${url}/publish`, 'hello')
    const poll = fetch(`${url}/longpoll?cursor=${body.cursor}`)
    const stream = await openStream(t, `${url}/sse`)
    const ws = await openSocket(t, `${url}/ws`)
    await ws.json()
    // Browsers open connections in advance; and a body may never come to its end.
    await openRaw(t, Number(new URL(url).port))
    const upload = await openRaw(t, Number(new URL(url).port))
    upload.socket.write('POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf')
    await fetch(`${url}/poll`)

    child.process.kill(signal)
    await child.logged(new RegExp(`${signal}: closing`))
    child.process.kill(signal)
    const answer = await poll
    t.equal(answer.status, 204)
    t.equal(answer.headers.get('connection'), 'close')
    t.equal((await ws.closed).code, 1001)
    await stream.ended
    t.same(await child.ended, { code: 0, signal: null })
    t.equal(child.stderr, '')
  })
}

t.test('--drain keeps readers until their turn comes, and no longer than they stay', async (t) => {
  const { child, url } = await startApp(t, ['--drain', '9999'])
  const ws = await openSocket(t, `${url}/ws`)
  await ws.json()
  child.process.kill('SIGTERM')
  await child.logged(/SIGTERM: closing/)
  ws.send({ type: 'ping' })
  t.match(await ws.json(), { type: 'pong' })
  ws.ws.close()
  t.same(await child.ended, { code: 0, signal: null })
})

t.test('npm start, ended from a terminal: it sends the signal to both, and npm hands it on', async (t) => {
  const child = new Child(t, 'npm', ['start', '--silent', '--', '--port', '0'], UNCOVERED)
  const url = await urlFrom(child)
  t.equal((await fetch(`${url}/`)).status, 200)
  const { pid } = await child.logged(/"open /)
  process.kill(pid as number, 'SIGINT')
  child.process.kill('SIGINT')
  await child.ended
  t.match(await child.logged(/SIGINT: closing/), { pid })
  await t.rejects(fetch(url))
})
