import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blocksOf, fill } from './document.ts'
import { overTls } from './front.ts'
import type { Kind } from './kind.ts'
import type { Launch, Place } from './launch.ts'

let pem: Buffer | undefined

/** A key and a certificate in one file, for as long as the tests run. */
function certificate(): Buffer {
  if (pem) return pem
  const folder = mkdtempSync(join(tmpdir(), 'tidings-'))
  const file = join(folder, 'both.pem')
  execFileSync(
    'openssl',
    `req -x509 -newkey rsa:2048 -nodes -keyout ${file} -out ${file}.cert -days 1 -subj /CN=localhost`.split(
      ' ',
    ),
    { stdio: 'ignore' },
  )
  pem = Buffer.concat([readFileSync(file), readFileSync(`${file}.cert`)])
  rmSync(folder, { recursive: true })
  return pem
}

function launch({ folder }: Place, config: string): Launch {
  return {
    args: [`${folder}/stunnel.conf`],
    files: {
      'both.pem': certificate(),
      'stunnel.conf': `foreground = yes\npid =\nsyslog = no\n${config}`,
    },
  }
}

export const stunnel: Kind = {
  name: 'stunnel',
  program: 'stunnel4',
  http: false,
  retries: false,
  trustProxy: false,
  documented(place) {
    const [config] = blocksOf('stunnel')
    return launch(
      place,
      fill(config!, {
        '/etc/ssl/private/example.com.pem': `${place.folder}/both.pem`,
        'accept = 443': `accept = 127.0.0.1:${place.port}`,
        '127.0.0.1:3000': `127.0.0.1:${place.app}`,
      }),
    )
  },
  plain: [
    {
      name: 'stunnel',
      configure: (place) =>
        launch(
          place,
          `[app]\naccept = 127.0.0.1:${place.port}\nconnect = 127.0.0.1:${place.app}\ncert = ${place.folder}/both.pem\n`,
        ),
    },
  ],
  front: ({ port }) => overTls(port),
}
