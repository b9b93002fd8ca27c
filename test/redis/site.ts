import { redisBus } from '../../bus/redis.ts'
import { build, until } from '../helper.ts'
import type { MakeSite } from '../transport.suite.ts'

let prefixes = 0

/** Two instances of one log in Redis. The first publishes; clients read at the second, and move to the first. */
export function pairAt(url: string): MakeSite {
  return async (t, { retention, ...options } = {}) => {
    const prefix = `site${++prefixes}`
    const instance = () =>
      build(t, { ...options, bus: redisBus({ url, prefix, ...(retention && { retention }) }) })
    const [first, second] = [await instance(), await instance()]
    const [{ tidings }, { log }] = [first.app, second.app.tidings.bus]
    return {
      tidings,
      url: second.url,
      next: first.url,
      settled: () => until(() => log.head >= tidings.bus.log.head),
      watching: () => log.groups.watching,
    }
  }
}
