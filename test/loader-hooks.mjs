import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/*
 * The files of this project need their types taken away, and nothing else: imports have their extension, and the syntax
 * is erasable. What esbuild makes of a file is kept, with a hash of what it was made of at its end.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CACHE = join(ROOT, 'node_modules', '.cache', 'tidings-loader')
const config = readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')
const { paths, target, verbatimModuleSyntax } = JSON.parse(config).compilerOptions
const own = new Map(
  Object.entries(paths).map(([name, [path]]) => [name, pathToFileURL(join(ROOT, path)).href]),
)
mkdirSync(CACHE, { recursive: true })

export function resolve(specifier, context, next) {
  const url =
    own.get(specifier) ??
    // Node's own way asks the disk for each.
    (/^\.\.?\/.*\.m?ts$/.test(specifier) ? new URL(specifier, context.parentURL).href : undefined)
  return url === undefined ? next(specifier, context) : { url, format: 'module', shortCircuit: true }
}

export async function load(url, context, next) {
  if (!/^file:[^?#]*\.m?ts(?:[?#]|$)/.test(url)) return next(url, context)
  return { format: 'module', source: await javascript(fileURLToPath(url)), shortCircuit: true }
}

async function javascript(path) {
  const text = readFileSync(path, 'utf8')
  // What a test has written for itself is read once.
  if (!path.startsWith(ROOT)) return stripped(text, path)
  const mark = `//${createHash('sha1').update(config).update(text).digest('hex')}`
  const kept = join(CACHE, relative(ROOT, path).replaceAll(sep, '+'))
  try {
    const source = readFileSync(kept, 'utf8')
    if (source.endsWith(mark)) return source
  } catch {
    // It is the first time.
  }
  const source = `${await stripped(text, path)}${mark}`
  // Another process may read or write it meanwhile: it becomes what it is in one step.
  const made = `${kept}.${process.pid}`
  writeFileSync(made, source)
  renameSync(made, kept)
  return source
}

async function stripped(text, sourcefile) {
  const { transform } = await import('esbuild')
  const { code } = await transform(text, {
    loader: 'ts',
    format: 'esm',
    target,
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax } },
    sourcemap: 'inline',
    sourcesContent: false,
    sourcefile,
  })
  return code
}
