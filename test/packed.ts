import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { ROOT, UNCOVERED } from './child.ts'

const exec = promisify(execFile)

/** Runs a program to its end. @returns what it printed */
export async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    // The runner gives each program its loaders, with which TypeScript 7 does not start.
    const without = ['-u', 'NODE_OPTIONS', command, ...args]
    return (await exec('env', without, { cwd, env: { ...process.env, ...UNCOVERED } })).stdout
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout: string; stderr: string }
    throw new Error(`${message}\n${stdout}\n${stderr}`)
  }
}

/** A folder outside of this project, so that nothing is found in ours; it goes with the test. */
export async function emptyFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fastify-tidings-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  return folder
}

/** What the packages of this project are made of. */
const SOURCES = [
  'ls-files',
  '-co',
  '--exclude-standard',
  '--',
  ':!test',
  ':!examples',
  ':!benchmarks/results',
]
const CACHE = join(ROOT, 'node_modules', '.cache', 'tidings-packages')
/** Packing builds in the project's own folders: one file of tests at a time. */
const LOCK = `${CACHE}.lock`

async function locked<T>(work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(LOCK), { recursive: true })
  // A lock that is older than any build was left by a process that was killed.
  for (;;) {
    try {
      await mkdir(LOCK)
      break
    } catch {
      const since = await stat(LOCK).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      )
      if (since > 240_000) await rm(LOCK, { recursive: true, force: true })
      else await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  try {
    return await work()
  } finally {
    await rm(LOCK, { recursive: true, force: true })
  }
}

/** The tarballs of the packages, by their names. */
export type Packed = Record<'fastify-tidings' | 'fastify-tidings-demo' | 'fastify-tidings-bench', string>

/** Builds and packs all packages, once for all files of tests, until a source changes. */
export function pack(): Promise<Packed> {
  return locked(async () => {
    const hash = await hashOf((await run('git', SOURCES, ROOT)).split('\n').filter(Boolean))
    const kept = join(CACHE, `${hash}.json`)
    const known = await readFile(kept, 'utf8').catch(() => undefined)
    if (known !== undefined) return JSON.parse(known) as Packed
    await rm(CACHE, { recursive: true, force: true })
    await mkdir(CACHE)
    await run('npm', ['run', 'build'], ROOT)
    const args = ['--json', '--ignore-scripts', '--pack-destination', CACHE]
    const workspaces = ['--include-workspace-root', '-w', 'demo', '-w', 'benchmarks']
    const text = await run('npm', ['pack', ...args, ...workspaces], ROOT)
    const all = JSON.parse(text.slice(text.indexOf('[\n'))) as { name: string; filename: string }[]
    const packed = Object.fromEntries(
      all.map(({ name, filename }) => [name, join(CACHE, filename)]),
    ) as Packed
    await writeFile(kept, JSON.stringify(packed))
    return packed
  })
}

async function hashOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha1')
  for (const file of files) {
    // git still lists what was removed.
    const bytes = await readFile(join(ROOT, file)).catch(() => '')
    hash.update(`${file} ${bytes.length} `).update(bytes)
  }
  return hash.digest('hex')
}

export function install(folder: string, ...packages: string[]): Promise<string> {
  return run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], folder)
}
