import { ERR_CHANNEL } from './errors.ts'

/** The channel of a request that names none. */
export const DEFAULT_CHANNEL = 'default'

/** Maximum number of channels of one reader. */
export const MAX_CHANNELS = 32

const NAME = /^[A-Za-z0-9_.:~-]{1,128}$/

/** Whether a value is a valid channel name. */
export function isChannel(name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name)
}

/** @returns the name. @throws TIDINGS_ERR_CHANNEL if it is invalid. */
export function checkChannel(name: unknown): string {
  if (isChannel(name)) return name
  throw new ERR_CHANNEL('must consist of 1 to 128 of the characters A-Z a-z 0-9 _ . : ~ -')
}

/** @returns the names, sorted and unique. @throws TIDINGS_ERR_CHANNEL if one is invalid or there are too many. */
export function checkChannels(names: readonly unknown[]): string[] {
  const set = new Set<string>()
  for (const name of names) {
    set.add(checkChannel(name))
    if (set.size > MAX_CHANNELS) throw new ERR_CHANNEL(`may be given at most ${MAX_CHANNELS} times`)
  }
  return [...set].sort()
}
