import { blocksOf, fill } from './document.ts'
import { reverse } from './front.ts'
import type { Kind } from './kind.ts'
import type { Launch, Place } from './launch.ts'

/** Without its administration, which has a port of its own, and without TLS. */
const GLOBAL = '{\n\tadmin off\n\tauto_https off\n}\n'

function launch({ folder }: Place, config: string): Launch {
  return {
    args: ['run', '--adapter', 'caddyfile', '--config', `${folder}/Caddyfile`],
    files: { Caddyfile: `${GLOBAL}${config}` },
    env: { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  }
}

export const caddy: Kind = {
  name: 'Caddy',
  program: 'caddy',
  http: true,
  retries: true,
  trustProxy: '127.0.0.1',
  documented(place) {
    const [config] = blocksOf('Caddy')
    return launch(
      place,
      fill(config!, {
        '127.0.0.1:3000': `127.0.0.1:${place.app}`,
        'example.com {': `http://127.0.0.1:${place.port} {\n\tbind 127.0.0.1`,
      }),
    )
  },
  plain: [
    {
      name: 'Caddy',
      configure: (place) =>
        launch(
          place,
          `http://127.0.0.1:${place.port} {\n\tbind 127.0.0.1\n\treverse_proxy 127.0.0.1:${place.app}\n}\n`,
        ),
    },
  ],
  front: ({ port }) => reverse(port),
}
