import t, { type Test } from 'tap'
import { until } from '../helper.ts'
import { needs } from '../needs.ts'
import { apache } from './apache.ts'
import { haproxy } from './haproxy.ts'
import type { Kind } from './kind.ts'
import { nginx } from './nginx.ts'
import { squid } from './squid.ts'
import { Stage } from './stage.ts'
import { varnish } from './varnish.ts'

/** What is seen through the proxy. */
type Probe = (t: Test, stage: Stage) => Promise<unknown>

const origin: Probe = async (_, stage) => {
  const headers = { origin: stage.front.url }
  return (await stage.ask('/publish', { method: 'POST', body: 'x', headers })).status
}

/** A page of another site, and a client that says that it came to that site. */
const spoofed: Probe = async (_, stage) => {
  const headers = { origin: 'http://evil.example', 'x-forwarded-host': 'evil.example' }
  return (await stage.ask('/publish', { method: 'POST', body: 'x', headers })).status
}

const socket: Probe = (t, stage) =>
  stage.socket(t, '/ws').then(
    () => 101,
    (error: Error) => Number(/\d{3}$/.exec(error.message)?.[0]),
  )

/** How many messages a poll with the tag of the place before gets. */
const tag: Probe = async (_, stage) => {
  const { cursor } = (await stage.ask('/poll')).json
  await stage.app.tidings.publish('default', 'news')
  const headers = { 'if-none-match': `W/"${cursor}"` }
  return (await stage.ask('/poll', { headers })).json.messages.length
}

/** Whether a held poll is let go before its wait ends, when its client has left. */
const leaving: Probe = async (_, stage) => {
  const abort = new AbortController()
  const asked = stage.ask('/longpoll?cursor=now&wait=3', { signal: abort.signal }).catch(() => {})
  await until(() => stage.readers === 1)
  const began = performance.now()
  abort.abort()
  await asked
  await until(() => stage.readers === 0)
  return performance.now() - began < 2500
}

/** Whether an event comes before the stream's end. */
const parts: Probe = async (t, stage) => {
  let text = ''
  const ended = stage.stream(t, '/sse').then((stream) =>
    stream.until((all) => {
      text = all
      return false
    }),
  )
  await until(() => stage.readers === 1)
  await stage.app.tidings.publish('default', 'news')
  // A whole wait goes through the same proxy meanwhile.
  await stage.ask('/longpoll?cursor=now&wait=1')
  const came = text.includes('"data":"news"')
  await stage.stop()
  t.match(await ended, '"data":"news"')
  await stage.start()
  return came
}

const away: Probe = async (t, stage) => {
  await stage.stop()
  const { statusCode } = (await stage.stream(t, '/sse')).response
  await stage.start()
  return statusCode
}

/** A setting, what is put in its place, and what is seen with it and without. */
type Row = [kind: Kind, setting: string | RegExp, instead: string, probe: Probe, good: unknown, bad: unknown]

const HOST = /proxy_set_header (X-Forwarded-)?Host .*\n/g

/** What docs/deploying.md says that goes wrong without it. */
const TABLE: Row[] = [
  [nginx, HOST, '', origin, 201, 403],
  [nginx, /\$http_host/g, '$host', origin, 201, 403],
  [nginx, /proxy_set_header X-Forwarded-Host .*\n/, '', spoofed, 403, 201],
  [nginx, 'proxy_set_header Upgrade $http_upgrade;', '', socket, 101, 426],
  [nginx, 'proxy_http_version 1.1;', 'proxy_ignore_headers X-Accel-Buffering;', parts, true, false],
  [nginx, /error_page .*\n/, '', away, 200, 502],
  [haproxy, /http-request set-header X-Forwarded-Host.*\n/, '', spoofed, 403, 201],
  [haproxy, 'option abortonclose', '', leaving, true, false],
  [haproxy, /errorfile 503.*\n/, '', away, 200, 503],
  [apache, 'upgrade=websocket ', '', socket, 101, 426],
  [apache, /ErrorDocument 503.*\n/, '', away, 200, 503],
  [varnish, 'return (pass);', '', tag, 1, 0],
  [varnish, 'return (pipe);', '', socket, 101, 426],
  [varnish, /sub vcl_pipe .*?\n}\n/s, '', socket, 101, 426],
  [varnish, /set req\.http\.X-Forwarded-Host.*\n/, '', spoofed, 403, 201],
  [varnish, /sub vcl_backend_error .*?\n}\n/s, '', away, 200, 503],
  [squid, 'http_upgrade_request_protocols websocket allow all', '', socket, 101, 426],
  [squid, 'request_header_access X-Forwarded-Host deny all', '', spoofed, 403, 201],
]

// They wait more than they work.
t.jobs = 4

for (const [kind, setting, instead, probe, good, bad] of TABLE) {
  t.test(`${kind.name}: ${setting}`, { buffered: true }, async (t) => {
    if (needs(t, kind.program) === undefined) return
    const stage = await Stage.set(t, kind, kind.documented, { publish: true })
    t.equal(await probe(t, stage), good, 'as documented')
    let replaced = 0
    const without = await Stage.set(
      t,
      kind,
      (place) => {
        const { files, ...launch } = kind.documented(place)
        const changed = Object.entries(files).map(([name, text]) => {
          const next = `${text}`.replace(setting, instead)
          if (next !== `${text}`) replaced++
          return [name, next]
        })
        return { ...launch, files: Object.fromEntries(changed) }
      },
      { publish: true },
    )
    t.equal(await probe(t, without), bad, 'without it')
    t.ok(replaced > 0)
  })
}
