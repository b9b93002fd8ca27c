import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { Origins } from '../../../routes/http/origin.ts'

const logged: unknown[][] = []
const log = { warn: (...args: unknown[]) => logged.push(args) }

const check = (origin: string | undefined, host: string, allowed: (string | RegExp)[] = []) =>
  new Origins(allowed).check({ headers: { origin }, host, url: '/ws', log } as unknown as FastifyRequest)

t.test('who is let in', async () => {
  check(undefined, 'a.example')
  check('http://a.example', 'a.example')
  check('https://a.example', 'a.example:443')
  check('http://[::1]:3000', '[::1]:3000')
  check('https://xn--bcher-kva.example', 'xn--bcher-kva.example')
  check('null', 'a.example', ['*'])
  check('https://b.example', 'a.example', ['https://b.example'])
  const every = /\.example$/g
  check('https://b.example', 'a.example', [every])
  check('https://b.example', 'a.example', [every])
})

t.test('who is not', async (t) => {
  const rows: [string, string, (string | RegExp)[]?][] = [
    ['null', 'a.example'],
    ['null', 'null'],
    ['', ''],
    ['http://', ''],
    ['http://a.example', ''],
    ['http://a.example.evil.example', 'a.example'],
    ['http://evil.example', 'a.example', ['https://evil.example', /^http:\/\/vil/]],
    ['file:///', ''],
    ['http://a.example:81', 'a.example'],
    ['https://a.example', 'a.example:80'],
  ]
  for (const [origin, host, allowed] of rows) {
    t.throws(() => check(origin, host, allowed), { code: 'TIDINGS_ERR_ORIGIN' }, `${origin} at '${host}'`)
  }
})

t.test('the first refusal is logged, with what was compared and the mend', async (t) => {
  logged.length = 0
  const origins = new Origins([])
  const request = (origin: string, host: string, sent: string) =>
    ({
      headers: { origin, host: sent },
      host,
      url: '/publish?token=secret',
      log,
    }) as unknown as FastifyRequest
  t.throws(() => origins.check(request('https://a.example', 'backend:3000', 'backend:3000')))
  for (let i = 0; i < 100; i++) t.throws(() => origins.check(request(`https://${i}.example`, 'b', 'b')))
  t.equal(logged.length, 1)
  t.strictSame(logged[0]![0], {
    origin: 'https://a.example',
    host: 'backend:3000',
    header: 'Host',
    path: '/publish',
  })
  t.match(
    logged[0]![1],
    /header Host\..*proxy_set_header Host \$http_host; .*ProxyPreserveHost On.*trustProxy.*'origins'/,
  )
  const trusting = new Origins([])
  t.throws(() => trusting.check(request('https://a.example', 'c.example', 'backend:3000')))
  t.match(logged[1], [{ host: 'c.example', header: 'X-Forwarded-Host' }, /header X-Forwarded-Host/])
})
