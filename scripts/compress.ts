import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

/*
 * Compresses a folder of files for a server that sends what stands beside them: node --import tsx scripts/compress.ts
 * FOLDER
 */

/** Bytes below which it saves nothing. */
const LEAST = 600

/** @returns how many files have compressed ones beside them */
export async function compress(folder: string): Promise<number> {
  let count = 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(?:js|css|html|svg|json)$/.test(entry.name)) continue
    const file = join(entry.parentPath, entry.name)
    const bytes = await readFile(file)
    if (bytes.length < LEAST) continue
    const brotli = { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }
    await writeFile(`${file}.br`, await promisify(brotliCompress)(bytes, brotli))
    await writeFile(`${file}.gz`, await promisify(gzip)(bytes, { level: 9 }))
    count++
  }
  return count
}

const [, script, folder] = process.argv
if (script?.endsWith('compress.ts') && folder !== undefined) await compress(folder)
