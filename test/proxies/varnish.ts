import { blocksOf, fill } from './document.ts'
import { reverse } from './front.ts'
import type { Kind } from './kind.ts'
import type { Launch, Place } from './launch.ts'

function launch({ folder, port }: Place, args: readonly string[], files: Launch['files'] = {}): Launch {
  return {
    args: [
      ...['-F', '-j', 'none', '-n', `${folder}/work`, '-a', `127.0.0.1:${port}`],
      ...['-T', 'none', '-s', 'malloc,64m', ...args],
    ],
    files,
  }
}

export const varnish: Kind = {
  name: 'Varnish',
  program: 'varnishd',
  http: true,
  retries: true,
  trustProxy: '127.0.0.1',
  documented(place) {
    const [config] = blocksOf('Varnish')
    return launch(place, ['-f', `${place.folder}/tidings.vcl`], {
      'tidings.vcl': fill(config!, { '"3000"': `"${place.app}"` }),
    })
  },
  plain: [{ name: 'Varnish', configure: (place) => launch(place, ['-b', `127.0.0.1:${place.app}`]) }],
  front: ({ port }) => reverse(port),
}
