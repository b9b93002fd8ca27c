// Writes the pages of docs/ that are generated: node --import tsx scripts/docs.ts
import { writeFile } from 'node:fs/promises'
import { asyncapi } from './asyncapi.ts'
import { errorsPage } from './errors.ts'
import { openapi } from './openapi.ts'

/** Each generated file, and its text. */
export async function generated(): Promise<Record<string, string>> {
  return {
    'docs/errors.md': errorsPage(),
    'docs/openapi.json': `${JSON.stringify(await openapi(), null, 2)}\n`,
    'docs/asyncapi.json': `${JSON.stringify(asyncapi(), null, 2)}\n`,
  }
}

if (import.meta.filename === process.argv[1]) {
  for (const [path, text] of Object.entries(await generated())) {
    await writeFile(new URL(`../${path}`, import.meta.url), text)
  }
}
