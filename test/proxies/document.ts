import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../child.ts'

const text = readFileSync(join(ROOT, 'docs/deploying.md'), 'utf8')

/** The configurations that the documentation shows under a heading, in their order: its fenced blocks. */
export function blocksOf(heading: string): string[] {
  const sections = text.split(/^## /m)
  const section = sections.find((each) => each.startsWith(`${heading}\n`))
  if (section === undefined) throw new Error(`docs/deploying.md has no heading ${heading}`)
  return [...section.matchAll(/^```(?!sh\b|js\b|ts\b)\w+\n(.*?)^```$/gms)].map(([, block]) => block!)
}

/**
 * A configuration with what is of this machine and this run in place of what the documentation shows.
 * @throws Error where it shows no such thing: a test must not run something else
 */
export function fill(text: string, values: Record<string, string>): string {
  let filled = text
  for (const [shown, value] of Object.entries(values)) {
    if (!filled.includes(shown)) throw new Error(`docs/deploying.md does not show ${shown}`)
    filled = filled.replaceAll(shown, value)
  }
  return filled
}
