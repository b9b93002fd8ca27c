import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from './options.ts'

/** Where a checkout has its plugin, compiled: as `npm run build` has it, or the benchmark's own. */
const ENTRIES = ['dist/index.js', '.bench/index.js']

/** @returns the URL of its module @throws UsageError where it is not built */
export function entryOf(checkout: string): string {
  const found = ENTRIES.map((entry) => resolve(checkout, entry)).find((path) => existsSync(path))
  if (found !== undefined) return pathToFileURL(found).href
  throw new UsageError(`--against '${checkout}' has no ${ENTRIES.join(' and no ')}: run npm run build there`)
}
