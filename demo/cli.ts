#!/usr/bin/env node
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import type { LevelWithSilent } from 'pino'
import type { ServerOptions } from './server.ts'

const HELP = `fastify-tidings-demo: a page that shows polling, long polling, SSE and WebSocket live

Usage: fastify-tidings-demo [options]

  --host ADDRESS      address to listen on (default: HOST, or 127.0.0.1)
  --port PORT         port to listen on; 0 selects a free port (default: PORT, or 3000)
  --allow-host NAME   also accept requests for this host name; repeatable
  --bus URL           share the log with other instances over Redis: redis://127.0.0.1:6379
  --drain SECONDS     on SIGTERM, disconnect the readers over this period (default: 0)
  -h, --help          print this help

LOG_LEVEL sets the log level: trace, debug, info, warn, error, fatal or silent (default: info).
`

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
const NAME = /^[A-Za-z0-9_.-]+$/

/** @throws an error that describes the wrong argument in one line */
function readOptions(args: string[], env: NodeJS.ProcessEnv): ServerOptions | 'help' {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(args)
  } catch (error) {
    // Node's own message is several sentences long.
    throw new Error(`${(error as Error).message.split(/\.\s/, 1)[0]}: see --help`)
  }
  const { values } = parsed
  if (values.help) return 'help'
  const host = (values.host ?? (env.HOST || '127.0.0.1')).replace(/^\[(.*)\]$/, '$1')
  if (host === '') throw new Error('Host must be an address or a name')
  const port = values.port ?? (env.PORT || '3000')
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new Error(`Port '${port}' must be a whole number from 0 to 65535`)
  }
  const allowHost = values['allow-host'] ?? []
  for (const name of allowHost) {
    if (!NAME.test(name) && isIP(name) === 0) {
      throw new Error(
        `Name '${name}' of --allow-host must be a host name without a port, such as example.com`,
      )
    }
  }
  const drain = values.drain ?? '0'
  if (!/^[0-9]{1,4}$/.test(drain)) {
    throw new Error(`Time '${drain}' of --drain must be a whole number of seconds, up to 9999`)
  }
  const logLevel = env.LOG_LEVEL || 'info'
  if (!LEVELS.includes(logLevel)) {
    throw new Error(`LOG_LEVEL '${logLevel}' must be one of ${LEVELS.join(', ')}`)
  }
  return {
    host,
    port: Number(port),
    allowHost,
    ...(values.bus !== undefined && { bus: values.bus }),
    logLevel: logLevel as LevelWithSilent,
    tidings: { drain: Number(drain) * 1000 },
  }
}

function parse(args: string[]) {
  return parseArgs({
    args,
    options: {
      host: { type: 'string' },
      port: { type: 'string' },
      'allow-host': { type: 'string', multiple: true },
      bus: { type: 'string' },
      drain: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
}

/**
 * Returns why the app could not start, in one line. Common cases have a message of their own, others have Node's.
 * Compiler environments set HOST to the name of a machine type.
 */
function reason(error: unknown, { host, port }: ServerOptions): string {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') {
    return `Port ${port} of ${host} is in use: choose another with --port, or 0 for a free port`
  }
  if (syscall !== 'getaddrinfo' && code !== 'EADDRNOTAVAIL') return message
  const from = process.argv.some((each) => /^--host(?:=|$)/.test(each)) ? '--host' : 'HOST in the environment'
  return `'${host}', from ${from}, is not an address of this machine (${code}): pass one with --host, such as 127.0.0.1`
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), process.env)
  if (options === 'help') {
    process.stdout.write(HELP)
    return
  }
  const { serve, urlOf } = await import('./server.ts')
  let app: Awaited<ReturnType<typeof serve>>
  try {
    app = await serve(options)
  } catch (error) {
    throw new Error(reason(error, options))
  }
  app.log.info(`open ${urlOf(app)}`)

  // npm forwards a signal that the terminal has already sent. The second one must not interrupt the first.
  let closing = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (closing) return
      closing = true
      app.log.info(`${signal}: closing`)
      app.close().then(() => process.exit(0))
    })
  }
}

main().catch(({ message, exitCode = 1 }: Error & { exitCode?: number }) => {
  process.stderr.write(`fastify-tidings-demo: ${message}\n`)
  process.exitCode = exitCode
})
