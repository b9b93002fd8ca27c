#!/usr/bin/env node
import { advise } from './advise.ts'
import { bench } from './bench.ts'

const [command, ...args] = process.argv.slice(2)
const running = command === 'advise' ? advise(args) : bench(process.argv.slice(2))
running
  .then((code) => {
    process.exitCode = code
  })
  .catch(({ message, exitCode = 1 }: Error & { exitCode?: number }) => {
    process.stderr.write(`fastify-tidings-bench: ${message}\n`)
    process.exitCode = exitCode
  })
