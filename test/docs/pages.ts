import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../child.ts'

export interface Page {
  /** Its path in the repository. */
  name: string
  text: string
}

/** A fenced block of code. */
export interface Block {
  /** The page and the line on which it begins. */
  name: string
  /** What stands behind the fence: a language, and perhaps more. */
  info: string
  code: string
}

const files = (await readdir(join(ROOT, 'docs'), { recursive: true })).filter((file) => file.endsWith('.md'))

/** What a user reads, and is tested: the README and docs. */
export const PAGES: readonly Page[] = await Promise.all(
  ['README.md', ...files.sort().map((file) => `docs/${file}`)].map(async (name) => ({
    name,
    text: await readFile(join(ROOT, name), 'utf8'),
  })),
)

export function pageOf(name: string): Page {
  return PAGES.find((page) => page.name === name)!
}

export function blocksOf({ name, text }: Page): Block[] {
  return Array.from(text.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm), (found) => ({
    name: `${name}:${text.slice(0, found.index).split('\n').length}`,
    info: found[1]!,
    code: found[2]!,
  }))
}

/** The rows of the tables under a heading, up to the next one; cells as they are written. */
export function rowsOf({ text }: Page, heading: string): string[][] {
  const start = text.indexOf(`${heading}\n`)
  if (start === -1) throw new Error(`no heading ${heading}`)
  const [section] = text.slice(start + heading.length).split(/^#+ /m)
  const lines = section!.split('\n').filter((line) => line.startsWith('|'))
  // The line above a line of dashes is a table's head.
  const isRule = (line: string | undefined) => line !== undefined && /^\|[-:| ]+\|$/.test(line)
  return lines
    .filter((line, i) => !isRule(line) && !isRule(lines[i + 1]))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
}
