import { blocksOf, fill } from './document.ts'
import { reverse } from './front.ts'
import type { Kind } from './kind.ts'
import type { Launch, Place } from './launch.ts'

function launch({ folder }: Place, config: string, files: Launch['files'] = {}): Launch {
  return {
    args: ['-db', '-f', `${folder}/haproxy.cfg`],
    files: { 'haproxy.cfg': config, ...files },
  }
}

/** As Debian has it, with other timeouts. */
function plain(place: Place, timeout: number): Launch {
  return launch(
    place,
    `defaults
    mode http
    option dontlognull
    timeout connect 5000
    timeout client ${timeout}
    timeout server ${timeout}
frontend web
    bind 127.0.0.1:${place.port}
    default_backend app
backend app
    server app 127.0.0.1:${place.app}
`,
  )
}

export const haproxy: Kind = {
  name: 'HAProxy',
  program: 'haproxy',
  http: true,
  retries: true,
  trustProxy: '127.0.0.1',
  documented(place) {
    const [config, answer] = blocksOf('HAProxy')
    return launch(
      place,
      fill(config!, {
        '127.0.0.1:3000': `127.0.0.1:${place.app}`,
        'bind :80': `bind 127.0.0.1:${place.port}`,
        '/etc/haproxy/errors/sse-retry.http': `${place.folder}/sse-retry.http`,
      }),
      { 'sse-retry.http': answer!.replaceAll('\n', '\r\n') },
    )
  },
  plain: [
    { name: 'HAProxy (50 s)', configure: (place) => plain(place, 50_000) },
    { name: 'HAProxy (3 s)', configure: (place) => plain(place, 3000), patience: 3000 },
  ],
  front: ({ port }) => reverse(port),
}
