import { ERR_CHANNEL } from './errors.ts'

/** The channel that is meant where none is named. */
export const DEFAULT_CHANNEL = 'default'

/** How many channels one reader may follow. */
export const MAX_CHANNELS = 32

const NAME = /^[A-Za-z0-9_.:~-]{1,128}$/

/** Whether it can name a channel. */
export function isChannel(name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name)
}

/** @returns the name. @throws TIDINGS_ERR_CHANNEL where it is none. */
export function checkChannel(name: unknown): string {
  if (isChannel(name)) return name
  throw new ERR_CHANNEL('must be 1 to 128 of the characters A-Z a-z 0-9 _ . : ~ -')
}

/** @returns the names, sorted, each once. @throws TIDINGS_ERR_CHANNEL where one is none, or they are too many. */
export function checkChannels(names: readonly unknown[]): string[] {
  const set = new Set<string>()
  for (const name of names) {
    set.add(checkChannel(name))
    if (set.size > MAX_CHANNELS) throw new ERR_CHANNEL(`may be given ${MAX_CHANNELS} times at most`)
  }
  return [...set].sort()
}
