import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { bench } from '../../benchmarks/bench.ts'
import { report } from '../../benchmarks/report.ts'
import { benchCli } from '../child.ts'
import { build } from '../helper.ts'
import { misfits } from './schema.ts'
import { quickForks, runs, SMALL, small } from './small.ts'

/** Runs the command in this process. */
async function run(args: string[]): Promise<{ code: number; out: string; lines: string[] }> {
  let out = ''
  const lines: string[] = []
  const code = await bench(args, {
    print: (text) => {
      out += text
    },
    progress: (line) => lines.push(line),
  })
  return { code, out, lines }
}

t.test('--help', async (t) => {
  t.match(await run(['-h']), { code: 0, out: /--header-profile NAME/ })
  t.match(await run(['--help']), { code: 0, out: /--header-profile NAME/, lines: [] })
})

t.test('an unwritable file is reported before the run', async (t) => {
  await t.rejects(run([...SMALL, '--html', '/nowhere/x.html']), {
    message: "--html '/nowhere/x.html' can't be written (ENOENT)",
  })
})

t.test('a complete run: tables, JSON that matches the schema, page', async (t) => {
  quickForks(t)
  const folder = t.testdir()
  const file = (name: string) => join(folder, name)
  const { code, out, lines } = await run([
    ...[...SMALL, '--transports', 'sse'],
    ...['--json', file('x.json'), '--html', file('x.html'), '--verbose'],
  ])
  const results = JSON.parse(await readFile(file('x.json'), 'utf8'))
  t.equal(code, results.passed ? 0 : 1)
  t.match(out, /Latency, ms/)
  t.match(lines, [/^Main workload, round 1 of 1: sse; \d s left$/])
  t.match(await readFile(file('x.html'), 'utf8'), /^<!doctype html>/)
  t.same(misfits(results), [])
  t.not(misfits({ ...results, rounds: [{}] }).length, 0, 'the schema test detects errors')
})

t.test('a valid run exits with 0', async (t) => {
  quickForks(t)
  const { url } = await build(t, { publish: true })
  // Too short to publish anything, so no message can be late.
  const { code, out } = await run([...SMALL, '--url', url, '--transports', 'ws', '--rate', '0.01'])
  t.equal(code, 0, out)
  t.match(out, /PASSED.*✓ Main workload: 1 of 1 rounds undisturbed.*all figures/s)
  t.notMatch(out, /Latency, ms/)
})

t.test('Ctrl-C: prints the completed blocks, and reports that the run is partial', async (t) => {
  const { url } = await build(t, { publish: true })
  const child = benchCli(t, [...SMALL, '--url', url, '--transports', 'sse', '--rounds', '90'])
  while (!child.stderr.includes('round 2 of 90')) await once(child.process.stderr!, 'data')
  child.process.kill('SIGINT')
  t.same(await child.ended, { code: 130, signal: null })
  t.match(child.stdout, /PARTIAL: interrupted.*Per delivered message/s)
  t.match(child.stderr, /^Main workload, round 1 of 90: sse; 1 min \d+ s left$/m)
})

t.test('Ctrl-C before the first block', async (t) => {
  quickForks(t)
  const interrupt = new AbortController()
  const outcome = await runs(small('--rtt', '1', '--transports', 'ws'), {
    signal: interrupt.signal,
    progress: () => interrupt.abort(),
  })
  t.match(outcome, { partial: true, rounds: [], residuals: [] })
  t.match(report(outcome), /PARTIAL: interrupted/)
})

t.test('a usage error is one line with exit code 2', async (t) => {
  quickForks(t)
  for (const [args, why] of [
    [['--nope'], /^fastify-tidings-bench: Unknown option '--nope'/],
    [['--transports', 'mqtt'], /--transports 'mqtt' must be one of poll, longpoll, sse, ws/],
    [['--json', '/nowhere/x.json'], /--json '\/nowhere\/x\.json' can't be written \(ENOENT\)/],
    [['advise', '--http', '3'], /--http '3' must be one of 1\.1, 2/],
  ] as const) {
    const child = benchCli(t, args)
    t.same(await child.ended, { code: 2, signal: null })
    t.match(child.stderr, why)
    t.equal(child.stderr.trimEnd().split('\n').length, 1, 'one line')
    t.equal(child.stdout, '')
  }
})

t.test('advise prints to stdout', async (t) => {
  const child = benchCli(t, ['advise'])
  t.same(await child.ended, { code: 0, signal: null })
  t.match(child.stdout, /Rank.*ws/s)
})
