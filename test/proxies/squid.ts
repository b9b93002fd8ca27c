import { blocksOf, fill } from './document.ts'
import { forward, reverse } from './front.ts'
import type { Kind } from './kind.ts'
import type { Launch, Place } from './launch.ts'

function launch({ folder, port }: Place, config: string): Launch {
  return {
    args: ['-N', '-f', `${folder}/squid.conf`],
    files: {
      'squid.conf': `${config}
pid_filename none
access_log none
cache_log ${folder}/cache.log
cache_store_log none
coredump_dir ${folder}
icp_port 0
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname proxy-${port}
`,
    },
  }
}

const common = { program: 'squid', http: true, retries: false }

/** Before the app. */
export const squid: Kind = {
  ...common,
  name: 'Squid before the app',
  trustProxy: '127.0.0.1',
  documented(place) {
    const [config] = blocksOf('Squid')
    return launch(
      place,
      fill(config!, {
        'http_port 80 ': `http_port 127.0.0.1:${place.port} `,
        '127.0.0.1 parent 3000': `127.0.0.1 parent ${place.app}`,
        'dstdomain example.com': 'dst 127.0.0.1',
      }),
    )
  },
  plain: [
    {
      name: 'Squid before the app',
      configure: (place) =>
        launch(
          place,
          `http_port 127.0.0.1:${place.port} accel vhost
cache_peer 127.0.0.1 parent ${place.app} 0 no-query originserver
http_access allow all`,
        ),
    },
  ],
  front: ({ port }) => reverse(port),
}

/** Before the clients. */
export const squidForward: Kind = {
  ...common,
  name: 'Squid before the clients',
  trustProxy: false,
  documented(place) {
    const [, config] = blocksOf('Squid')
    return launch(
      place,
      fill(config!, {
        'http_port 3128': `http_port 127.0.0.1:${place.port}`,
        'src 10.0.0.0/8': 'src 127.0.0.0/8',
        'port 80 443': `port ${place.app}`,
      }),
    )
  },
  plain: [
    // As Debian has it: no tunnel to a port but 443.
    {
      name: 'Squid before the clients',
      configure: (place) =>
        launch(
          place,
          `http_port 127.0.0.1:${place.port}
acl SSL_ports port 443
http_access deny CONNECT !SSL_ports
http_access allow localhost
http_access deny all
refresh_pattern -i (/cgi-bin/|\\?) 0 0% 0
refresh_pattern . 0 20% 4320`,
        ),
    },
  ],
  front: ({ port, app }) => forward(port, app),
}
