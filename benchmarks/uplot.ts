import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** @returns script and style sheet of uPlot, to embed in a page */
export async function uplotFiles(): Promise<[script: string, style: string]> {
  const entry = createRequire(import.meta.url).resolve('uplot')
  const read = (name: string) => readFile(join(dirname(entry), name), 'utf8')
  return Promise.all([read('uPlot.iife.min.js'), read('uPlot.min.css')])
}
