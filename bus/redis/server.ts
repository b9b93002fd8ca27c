import { setTimeout as sleep } from 'node:timers/promises'
import { ERR_ENGINE } from '../errors.ts'

/** The oldest supported version, whose scripts have flags. */
const LEAST = 7

/** Milliseconds between checks of a server that is loading. */
const LOOK = 100

/**
 * Checks that a server can keep a log. Waits for a server that is loading its data.
 * @throws TIDINGS_ERR_ENGINE if it cannot
 */
export async function checkServer(
  name: string,
  command: (...args: string[]) => Promise<unknown>,
  warn: (message: string) => void,
): Promise<void> {
  for (;;) {
    const info = await command('INFO').catch((error: Error) => {
      if (/^-?(NOPERM|WRONGPASS|NOAUTH)\b/.test(error.message)) {
        throw new ERR_ENGINE(`${name} denies a required permission: ${error.message}`)
      }
      throw error
    })
    const fields = new Map(
      Array.from(String(info).matchAll(/^(\w+):(.*?)\r?$/gm), ([, key, value]) => [key!, value!]),
    )
    const version = fields.get('redis_version') ?? ''
    if (Number.parseInt(version, 10) < LEAST) {
      throw new ERR_ENGINE(`${name} is version ${version}: ${LEAST}.0 or later is required`)
    }
    if (fields.get('loading') === '1') {
      await sleep(LOOK)
      continue
    }
    const policy = fields.get('maxmemory_policy') ?? ''
    if (policy.startsWith('allkeys-')) {
      throw new ERR_ENGINE(
        `${name} evicts keys (maxmemory-policy ${policy}), including the log: set noeviction`,
      )
    }
    if (fields.get('aof_enabled') === '0') {
      warn(`${name} keeps no append-only file: when it restarts, messages since its last snapshot are lost`)
    }
    return
  }
}
