import { advise } from './advise.ts'
import { bench } from './bench.ts'

/* `main.ts bench|advise [options]`: a bad flag is one clear line, and ends with 2. */

const [command, ...args] = process.argv.slice(2)
try {
  process.exitCode = await (command === 'advise' ? advise(args) : bench(args))
} catch (error) {
  const { message, exitCode } = error as Error & { exitCode?: number }
  process.stderr.write(`${message}\n`)
  process.exitCode = exitCode ?? 1
}
