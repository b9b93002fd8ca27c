import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Test } from 'tap'

/** Where Debian keeps what only an administrator starts; a person's path may lack it. */
const FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/sbin']

/** The first of these programs that is found: by its name on the path, or by its whole path. */
export function find(...names: string[]): string | undefined {
  const folders = [...FOLDERS, ...(process.env.PATH ?? '').split(delimiter)]
  const candidates = names.flatMap((name) =>
    name.includes('/') ? name : folders.map((folder) => join(folder, name)),
  )
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * A program that the test can't do without. Where it is missing the test is skipped, aloud; in CI it fails.
 * @param names it goes by one of these
 * @returns its path; undefined where the test is to return at once
 */
export function needs(t: Test, ...names: string[]): string | undefined {
  const program = find(...names)
  if (program === undefined) {
    const why = `${names.join(' or ')} is not found: install it`
    if (process.env.CI === 'true') t.fail(why)
    else t.pass(why, { skip: why })
  }
  return program
}
