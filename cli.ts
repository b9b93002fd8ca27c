#!/usr/bin/env node
import { parseArgs } from 'node:util'
import type { LevelWithSilent } from 'pino'
import type { ServerOptions } from './server.ts'

const HELP = `fastify-tidings: one message log behind polling, long polling, SSE and WebSocket

Usage: fastify-tidings [serve] [options]

  --host ADDRESS      the address to listen on (HOST; 127.0.0.1)
  --port PORT         the port to listen on; 0 takes a free one (PORT; 3000)
  --allow-host NAME   a further name by which the app may be asked for; repeatable
  --help              this text

LOG_LEVEL sets the log's level: trace, debug, info, warn, error, fatal, silent (info).
`

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** What is wrong with how the program was called: said in one line. */
class UsageError extends Error {}

function readOptions(args: string[], env: NodeJS.ProcessEnv): ServerOptions | 'help' {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(args)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
  const { values, positionals } = parsed
  if (values.help) return 'help'
  if (positionals.length > 1 || (positionals[0] ?? 'serve') !== 'serve') {
    throw new UsageError(`Unknown command '${positionals.join(' ')}'`)
  }
  const port = values.port ?? env.PORT ?? '3000'
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new UsageError(`Port '${port}' must be a whole number from 0 to 65535`)
  }
  const logLevel = env.LOG_LEVEL ?? 'info'
  if (!LEVELS.includes(logLevel))
    throw new UsageError(`LOG_LEVEL '${logLevel}' must be one of ${LEVELS.join(', ')}`)
  return {
    host: values.host ?? (env.HOST || '127.0.0.1'),
    port: Number(port),
    allowHost: values['allow-host'] ?? [],
    logLevel: logLevel as LevelWithSilent,
  }
}

function parse(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      host: { type: 'string' },
      port: { type: 'string' },
      'allow-host': { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  })
}

/** Why the app could not start, in one line. */
function reason(error: unknown, { host, port }: ServerOptions): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return `Port ${port} of ${host} is taken: choose another with --port, or 0 for a free one`
  if (code === 'EACCES') return `Port ${port} of ${host} is not permitted: choose one above 1023 with --port`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `Host ${host} is no address of this machine`
  return message
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
    throw new UsageError(reason(error, options))
  }
  app.log.info(`look at ${urlOf(app)}`)

  // npm hands a signal on that the terminal has sent already: the second of a kind must not cut the first off.
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

main().catch((error: unknown) => {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`fastify-tidings: ${error.message}\n`)
  process.exitCode = 1
})
