import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { ROOT, UNCOVERED } from './child.ts'

const exec = promisify(execFile)

/** Runs a program to its end. @returns what it printed */
export async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    return (await exec(command, args, { cwd, env: { ...process.env, ...UNCOVERED } })).stdout
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

/** Packing builds in the project's own folders: one file of tests at a time. */
const LOCK = join(ROOT, 'node_modules', '.cache', 'tidings-pack')

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

/** Packs the plugin, which builds it. @returns the tarball's path */
export function pack(folder: string): Promise<string> {
  return locked(() => packed(folder))
}

/** Packs the other packages, which are built beside the plugin that stands there. */
export function packOthers(folder: string): Promise<string[]> {
  return locked(async () => {
    await run('npm', ['run', 'build'], ROOT)
    return [
      await packed(folder, '--ignore-scripts', '-w', 'demo'),
      await packed(folder, '--ignore-scripts', '-w', 'benchmarks'),
    ]
  })
}

async function packed(folder: string, ...args: string[]): Promise<string> {
  const text = await run('npm', ['pack', '--json', '--pack-destination', folder, ...args], ROOT)
  const [{ filename }] = JSON.parse(text.slice(text.indexOf('[\n'))) as [{ filename: string }]
  return join(folder, filename)
}

export function install(folder: string, ...packages: string[]): Promise<string> {
  return run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], folder)
}
