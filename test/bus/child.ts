import { execFile } from 'node:child_process'
import { LOADER, ROOT, UNCOVERED } from '../child.ts'

/** Runs a module, given as text that imports from the package's root, in a process of its own. */
export function runChild(module: string, flags: string[] = []): Promise<{ code: number; output: string }> {
  const args = [...flags, ...LOADER, '--input-type=module', '--eval', module]
  const options = { cwd: ROOT, env: { ...process.env, ...UNCOVERED }, timeout: 240_000 }
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve(error === null ? { code: 0, output: stdout } : { code: 1, output: stdout + stderr })
    })
  })
}
