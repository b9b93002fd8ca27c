import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from './options.ts'

/** Locations of the compiled plugin in a checkout: the output of `npm run build`, or of the benchmark's build. */
const ENTRIES = ['dist/index.js', '.bench/index.js']

/** @returns the URL of the checkout's plugin @throws UsageError if the checkout is not built */
export function entryOf(checkout: string): string {
  const found = ENTRIES.map((entry) => resolve(checkout, entry)).find((path) => existsSync(path))
  if (found !== undefined) return pathToFileURL(found).href
  throw new UsageError(
    `--against '${checkout}' contains neither ${ENTRIES.join(' nor ')}: run npm run build there`,
  )
}
