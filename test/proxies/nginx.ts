import { blocksOf, fill } from './document.ts'
import { reverse } from './front.ts'
import type { Kind } from './kind.ts'
import type { Launch, Place } from './launch.ts'

/** As Debian has it; what a server block stands in. */
function launch({ folder }: Place, http: string): Launch {
  return {
    args: ['-p', folder, '-e', 'stderr', '-c', `${folder}/nginx.conf`],
    files: {
      'nginx.conf': `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 768; }
http {
    access_log off;
    error_log stderr;
    client_body_temp_path ${folder}/body;
    proxy_temp_path ${folder}/proxy;
    fastcgi_temp_path ${folder}/fastcgi;
    uwsgi_temp_path ${folder}/uwsgi;
    scgi_temp_path ${folder}/scgi;
    sendfile on;
    tcp_nopush on;
    gzip on;
${http}
}
`,
    },
  }
}

export const nginx: Kind = {
  name: 'nginx',
  program: 'nginx',
  http: true,
  retries: true,
  trustProxy: '127.0.0.1',
  documented(place) {
    const [config] = blocksOf('nginx')
    return launch(
      place,
      fill(config!, {
        '127.0.0.1:3000': `127.0.0.1:${place.app}`,
        'listen 80;': `listen 127.0.0.1:${place.port};`,
      }),
    )
  },
  plain: [
    {
      name: 'nginx',
      configure: (place) =>
        launch(
          place,
          `server {
    listen 127.0.0.1:${place.port};
    location / { proxy_pass http://127.0.0.1:${place.app}; }
}`,
        ),
    },
  ],
  front: ({ port }) => reverse(port),
}
