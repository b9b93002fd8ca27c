import { blocksOf, fill } from './document.ts'
import { reverse } from './front.ts'
import type { Kind } from './kind.ts'
import type { Launch, Place } from './launch.ts'

const MODULES = '/usr/lib/apache2/modules'

/** Modules that Debian turns on by itself, as far as they have to do with this. */
const DEFAULTS = [
  'mpm_event',
  'authz_core',
  'alias',
  'deflate',
  'filter',
  'mime',
  'reqtimeout',
  'env',
  'setenvif',
]

function launch(
  { folder, port }: Place,
  modules: readonly string[],
  config: string,
  files: Launch['files'] = {},
): Launch {
  const loaded = [...DEFAULTS, ...modules].map(
    (name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`,
  )
  return {
    args: ['-D', 'FOREGROUND', '-d', folder, '-f', `${folder}/apache2.conf`],
    files: {
      'apache2.conf': `${loaded.join('\n')}
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile ${folder}/apache2.pid
DefaultRuntimeDir ${folder}
Mutex file:${folder} default
ErrorLog ${folder}/error.log
TypesConfig /etc/mime.types
User www-data
Group www-data
KeepAliveTimeout 5
RequestReadTimeout header=20-40,minrate=500
RequestReadTimeout body=10,minrate=500
AddOutputFilterByType DEFLATE text/html text/plain text/css application/json
${config}
`,
      ...files,
    },
  }
}

export const apache: Kind = {
  name: 'Apache',
  program: 'apache2',
  http: true,
  retries: true,
  trustProxy: '127.0.0.1',
  documented(place) {
    const [config, answer] = blocksOf('Apache')
    return launch(
      place,
      ['proxy', 'proxy_http', 'headers', 'asis'],
      fill(config!, {
        '127.0.0.1:3000': `127.0.0.1:${place.app}`,
        '*:80': `127.0.0.1:${place.port}`,
        '/var/www/sse-retry.asis': `${place.folder}/sse-retry.asis`,
        '/var/www': place.folder,
      }),
      { 'sse-retry.asis': answer! },
    )
  },
  plain: [
    {
      name: 'Apache',
      configure: (place) =>
        launch(place, ['proxy', 'proxy_http'], `ProxyPass / http://127.0.0.1:${place.app}/`),
    },
  ],
  front: ({ port }) => reverse(port),
}
