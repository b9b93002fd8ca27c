import type { LogLevel } from 'fastify'
import type { Bus } from '../../bus/bus.ts'
import { checkKnown, checkNumber, show } from '../../bus/check.ts'
import { ERR_OPTION } from '../../bus/errors.ts'
import { memoryBus } from '../../bus/memory.ts'
import { FAST, type FastPath, PLAIN } from './fast-path.ts'
import type { Authorize, CompressionOptions, Limits, Options } from './options.ts'
import { Origins } from './origin.ts'

/** @internal The checked options with defaults filled in. */
export interface Settings {
  readonly prefix: string
  readonly transports: ReadonlySet<string>
  readonly bus: Bus
  readonly poll: { readonly limit: number; readonly maxLimit: number; readonly maxBytes: number }
  readonly longpoll: { readonly wait: number; readonly maxWait: number }
  readonly heartbeat: { readonly sse: number; readonly ws: number }
  /** Undefined if compression is off. */
  readonly compression: Required<CompressionOptions> | undefined
  readonly payloadLimit: number
  readonly origins: Origins
  readonly publish: boolean
  readonly stats: boolean
  readonly echo: boolean
  readonly path: FastPath
  readonly maxReaders: number
  readonly drain: number
  readonly limits: Required<Omit<Limits, 'publish'>> & Pick<Limits, 'publish'>
  readonly slowConsumer: { readonly bytes: number; readonly timeout: number }
  readonly decorator: string
  readonly logLevel: LogLevel | undefined
  readonly authorize: Authorize | undefined
}

const LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
const KNOWN: readonly (keyof Options)[] = [
  'prefix',
  'transports',
  'bus',
  'retention',
  'poll',
  'longpoll',
  'heartbeat',
  'compression',
  'payloadLimit',
  'origins',
  'publish',
  'stats',
  'echo',
  'fastPath',
  'maxReaders',
  'drain',
  'limits',
  'slowConsumer',
  'decorator',
  'logLevel',
  'authorize',
]

/** Maximum delay of a timer. */
const MAX_MS = 0x7fff_ffff

/**
 * @internal
 * @param given the user's options. Fastify's own `logSerializers` may be among them
 * @param transports the names of all transports
 * @throws TIDINGS_ERR_OPTION that names the option
 */
export function settle(given: Options, transports: readonly string[]): Settings {
  const { logSerializers: _, ...own } = given as Options & { logSerializers?: unknown }
  const options = checkKnown<Options>('options', own, KNOWN)
  const { prefix = '', decorator = 'tidings', bus, retention, authorize } = options
  const { payloadLimit = 64 * 1024, maxReaders = 10_000, drain = 0 } = options

  if (typeof prefix !== 'string') throw new ERR_OPTION('prefix', `must be a string; it is ${show(prefix)}`)
  if (typeof decorator !== 'string' || decorator === '') {
    throw new ERR_OPTION('decorator', `must be a name; it is ${show(decorator)}`)
  }
  if (authorize !== undefined && typeof authorize !== 'function') {
    throw new ERR_OPTION('authorize', `must be a function; it is ${show(authorize)}`)
  }
  if (bus !== undefined && retention !== undefined) {
    throw new ERR_OPTION('retention', 'configures the built-in bus: pass it to your own bus instead')
  }
  if (bus !== undefined && (typeof bus?.publish !== 'function' || typeof bus.log?.append !== 'function')) {
    throw new ERR_OPTION('bus', `must be a bus, such as the result of memoryBus(); it is ${show(bus)}`)
  }

  return {
    prefix,
    decorator,
    authorize,
    transports: new Set(checkList('transports', options.transports, transports)),
    bus: bus ?? memoryBus(retention),
    poll: numbers('poll', options.poll, {
      limit: [100, 1, 'messages'],
      maxLimit: [1000, 1, 'messages'],
      maxBytes: [1024 * 1024, 1, 'bytes'],
    }),
    longpoll: numbers('longpoll', options.longpoll, {
      wait: [25, 0, 'seconds', 3600],
      maxWait: [55, 0, 'seconds', 3600],
    }),
    heartbeat: numbers('heartbeat', options.heartbeat, {
      sse: [15_000, 1, 'milliseconds', MAX_MS],
      ws: [25_000, 1, 'milliseconds', MAX_MS],
    }),
    compression: checkCompression(options.compression),
    payloadLimit: checkNumber('payloadLimit', payloadLimit, { least: 1, unit: 'bytes' }),
    origins: new Origins(checkOrigins(options.origins)),
    publish: checkFlag('publish', options.publish, authorize !== undefined),
    stats: checkFlag('stats', options.stats, false),
    echo: checkFlag('echo', options.echo, false),
    path: checkFlag('fastPath', options.fastPath, true) ? FAST : PLAIN,
    maxReaders: checkNumber('maxReaders', maxReaders, { unit: 'readers' }),
    drain: checkNumber('drain', drain, { unit: 'milliseconds', most: MAX_MS }),
    limits: checkLimits(options.limits),
    slowConsumer: numbers('slowConsumer', options.slowConsumer, {
      bytes: [1024 * 1024, 1, 'bytes'],
      timeout: [30_000, 1, 'milliseconds', MAX_MS],
    }),
    logLevel: checkLevel(options.logLevel),
  }
}

type Range = [byDefault: number, least: number, unit: string, most?: number]

/** Checks a group of numbers, and fills in defaults. */
function numbers<K extends string>(
  name: string,
  given: Partial<Record<K, number>> | undefined,
  ranges: Record<K, Range>,
): Record<K, number> {
  const keys = Object.keys(ranges) as K[]
  const known = checkKnown<Record<K, number>>(name, given, keys)
  const settled = {} as Record<K, number>
  for (const key of keys) {
    const [byDefault, least, unit, most] = ranges[key]
    const { [key]: value = byDefault } = known
    settled[key] = checkNumber(`${name}.${key}`, value, {
      least,
      unit,
      ...(most && { most }),
    })
  }
  return settled
}

function checkCompression(given: Options['compression'] = false): Settings['compression'] {
  if (given === false) return undefined
  return numbers('compression', given === true ? undefined : given, { threshold: [1024, 0, 'bytes'] })
}

function checkLimits(given: unknown): Settings['limits'] {
  const known = checkKnown<Limits>('limits', given, [
    'client',
    'readersPerClient',
    'framesPerSecond',
    'publish',
  ])
  const { client = ({ ip }) => ip, readersPerClient = Infinity, framesPerSecond = Infinity, publish } = known
  for (const [name, value] of Object.entries({ client, publish })) {
    if (value !== undefined && typeof value !== 'function') {
      throw new ERR_OPTION(`limits.${name}`, `must be a function; it is ${show(value)}`)
    }
  }
  checkNumber('limits.readersPerClient', readersPerClient, { unit: 'readers', infinity: true })
  checkNumber('limits.framesPerSecond', framesPerSecond, { least: 1, unit: 'frames', infinity: true })
  return { client, readersPerClient, framesPerSecond, publish }
}

function checkFlag(name: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined) return byDefault
  if (typeof value === 'boolean') return value
  throw new ERR_OPTION(name, `must be true or false; it is ${show(value)}`)
}

function checkList<T extends string>(name: string, value: unknown, known: readonly T[]): readonly T[] {
  if (value === undefined) return known
  if (Array.isArray(value) && value.every((item) => known.includes(item))) return value
  throw new ERR_OPTION(name, `must be a list of ${known.join(', ')}; it is ${JSON.stringify(value)}`)
}

function checkOrigins(value: unknown): readonly (string | RegExp)[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every(isOrigin)) return value
  throw new ERR_OPTION(
    'origins',
    `must be a list of origins such as 'https://example.com', regular expressions, or '*'`,
  )
}

function isOrigin(item: unknown): boolean {
  if (item instanceof RegExp || item === '*') return true
  return typeof item === 'string' && URL.canParse(item) && new URL(item).origin === item
}

function checkLevel(value: unknown): LogLevel | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && LEVELS.includes(value)) return value as LogLevel
  throw new ERR_OPTION('logLevel', `must be one of ${LEVELS.join(', ')}; it is ${show(value)}`)
}
