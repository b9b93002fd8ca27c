import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { procCpuOf } from '../machine.ts'
import type { Implementation } from './implementation.ts'

/** nginx with nchan from Debian's libnginx-mod-nchan. One worker holds all subscribers. */

const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'
const NGINX = '/usr/sbin/nginx'

/** Whether the module is installed. */
export function hasNchan(): boolean {
  return existsSync(MODULE) && existsSync(NGINX)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A location that starts with the last message, which confirms the subscription. */
const lastOf = (kind: string) =>
  `    location = /last/${kind} { nchan_subscriber ${kind}; nchan_channel_id $arg_channel; nchan_subscriber_first_message -1; }`

const configOf = (folder: string, port: number) => `
load_module ${MODULE};
daemon off;
master_process off;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 20000; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /publish { nchan_publisher; nchan_channel_id $arg_channel; nchan_message_buffer_length 1000; }
    location = /longpoll {
      nchan_subscriber longpoll;
      nchan_channel_id $arg_channel;
      nchan_subscriber_first_message newest;
    }
${['longpoll', 'eventsource', 'websocket'].map(lastOf).join('\n')}
  }
}
`

export async function nchan(): Promise<Implementation & { readonly pid: number; close(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'nchan-'))
  const port = await freePort()
  writeFileSync(join(folder, 'nginx.conf'), configOf(folder, port))
  execFileSync(NGINX, ['-t', '-q', '-c', join(folder, 'nginx.conf'), '-p', folder], { stdio: 'ignore' })
  const child = spawn(NGINX, ['-c', join(folder, 'nginx.conf'), '-p', folder], { stdio: 'ignore' })
  const close = () => {
    child.kill('SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  }
  const answers = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      const end = (open: boolean) => {
        socket.destroy()
        resolve(open)
      }
      socket.once('connect', () => end(true)).once('error', () => end(false))
    })
  while (!(await answers())) {
    if (child.exitCode !== null)
      throw new Error(`nginx exited: ${readFileSync(join(folder, 'error.log'), 'utf8')}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  return {
    port,
    publish(channel, data) {
      const options = { port, host: '127.0.0.1', agent, method: 'POST', path: `/publish?channel=${channel}` }
      request(options, (response) => response.resume()).end(data)
    },
    pid: child.pid!,
    cpu: () => procCpuOf(child.pid!) ?? Number.NaN,
    close,
  }
}
