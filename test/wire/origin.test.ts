import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { checkOrigin } from '../../wire/origin.ts'

const check = (origin: string | undefined, host: string, allowed: (string | RegExp)[] = []) =>
  checkOrigin({ headers: { origin }, host } as unknown as FastifyRequest, allowed)

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
