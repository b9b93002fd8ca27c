import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { type Child, cli, ROOT, urlFrom } from '../child.ts'
import { openSocket, openStream, post } from '../helper.ts'
import { find, needs } from '../needs.ts'
import { fill } from '../proxies/document.ts'
import { freePort, Program } from '../proxies/launch.ts'
import { needsRedis, RedisServer } from '../redis/server.ts'

interface Compose {
  services: Record<'redis' | 'one' | 'two' | 'nginx', { command: string[] }>
}

const compose = parse(readFileSync(join(ROOT, 'compose.yaml'), 'utf8'), { merge: true }) as Compose
const config = readFileSync(join(ROOT, 'examples/cluster/nginx.conf'), 'utf8')

/** Names and values, as a program is given them. */
function valuesOf(args: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {}
  for (let i = 0; i < args.length; i += 2) values[args[i]!.replace(/^--/, '')] = args[i + 1]!
  return values
}

t.test('what compose.yaml starts, without containers: two instances behind nginx with one log', async (t) => {
  if (!needsRedis(t) || needs(t, 'nginx') === undefined) return
  const { redis, one, two } = compose.services
  const server = await RedisServer.start(t, valuesOf(redis.command.slice(1)))
  const start = async ({ command }: { command: string[] }): Promise<[Child, number]> => {
    const given = valuesOf(command)
    t.match(given, { bus: 'redis://redis:6379', port: '3000', host: '0.0.0.0' })
    const own = { ...given, host: '127.0.0.1', port: `${await freePort()}`, bus: server.url, drain: '1' }
    const child = cli(
      t,
      Object.entries(own).flatMap(([name, value]) => [`--${name}`, value]),
    )
    return [child, Number(new URL(await urlFrom(child)).port)]
  }
  const [[first, onePort], [second, twoPort]] = [await start(one), await start(two)]
  const nginx = await Program.run(find('nginx')!, onePort, ({ folder, port }) => ({
    args: ['-p', folder, '-e', 'stderr', '-c', `${folder}/nginx.conf`],
    files: {
      'nginx.conf': `daemon off; worker_processes 1; pid ${folder}/nginx.pid;
events { }
http {
    access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
    fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
${fill(config, {
  'listen 80;': `listen 127.0.0.1:${port};`,
  'one:3000': `127.0.0.1:${onePort}`,
  'two:3000': `127.0.0.1:${twoPort}`,
})}
}`,
    },
  }))
  t.teardown(() => nginx.end())
  const url = `http://127.0.0.1:${nginx.place.port}`

  // One after another they meet both instances.
  const streams = [await openStream(t, `${url}/sse`), await openStream(t, `${url}/sse`)]
  const sockets = [await openSocket(t, `${url}/ws`), await openSocket(t, `${url}/ws`)]
  for (const stream of streams) t.match(await stream.next(), { event: 'ready' })
  for (const socket of sockets) t.match(await socket.json(), { type: 'ready' })
  const cursors = []
  for (const text of ['one', 'two']) {
    const { status, body } = await post(`${url}/publish`, text)
    t.equal(status, 201)
    cursors.push(body.cursor)
    for (const stream of streams)
      t.match(JSON.parse((await stream.next()).data!), { cursor: body.cursor, data: text })
    for (const socket of sockets) t.match(await socket.json(), { cursor: body.cursor, data: text })
  }

  // A restart of one, and of both, loses nothing.
  first.process.kill('SIGTERM')
  t.same(await first.ended, { code: 0, signal: null })
  t.equal((await fetch(`${url}/poll?cursor=${cursors[0]}`)).status, 200)
  second.process.kill('SIGTERM')
  t.same(await second.ended, { code: 0, signal: null })
  const [, port] = await start(one)
  const answer = await fetch(`http://127.0.0.1:${port}/poll?cursor=${cursors[0]}`)
  t.match(await answer.json(), { cursor: cursors[1], messages: [{ cursor: cursors[1], data: 'two' }] })
})
