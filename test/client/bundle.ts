import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const bundles = new Map<string, Promise<string>>()

/** A module of ours for browsers, with all that it imports. @param file from this folder */
export function bundle(file: string): Promise<string> {
  let made = bundles.get(file)
  if (!made) {
    made = build({
      entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2023',
      jsx: 'automatic',
      define: { 'process.env.NODE_ENV': '"development"' },
    }).then(({ outputFiles }) => outputFiles[0]!.text)
    bundles.set(file, made)
  }
  return made
}
