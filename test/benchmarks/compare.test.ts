import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { bench } from '../../benchmarks/bench.ts'
import { compareCheckouts } from '../../benchmarks/checkout-comparison.ts'
import { changesOf, changeVerdict } from '../../benchmarks/compare.ts'
import { FORMAT, type Results } from '../../benchmarks/json.ts'
import type { RoundResult } from '../../benchmarks/round-result.ts'
import { ROOT } from '../child.ts'
import { QUALITY, quickForks, runs, small, wrong } from './small.ts'

/** A results file of rounds with these costs. */
function fileOf(cpus: readonly number[], more: Partial<Results> = {}, bytes = 300): Results {
  const rounds = cpus.map(
    (cpuPerDelivery, block) =>
      ({
        ...{ section: 'headline', variant: 'ws', block, missed: 0, duplicates: 0, reordered: 0, faults: [] },
        ...{ latency: { p50: 1 }, cpuPerDelivery, requests: 0.001, bytes: { both: bytes }, quality: QUALITY },
      }) as unknown as RoundResult,
  )
  return {
    ...{ format: FORMAT, passed: true, rounds, settings: { variants: ['ws'], subscribers: 100 } },
    machine: { cpu: 'a', cores: 2, node: 'v20' },
    ...more,
  } as unknown as Results
}

const SLOW = [20, 21, 22, 20, 21, 22, 21]
const FAST = [10, 10, 11, 10, 11, 10, 10]

async function compares(t: Test, ...files: unknown[]): Promise<{ code: number; out: string }> {
  const folder = t.testdir()
  const names = await Promise.all(
    files.map(async (file, i) => {
      const name = join(folder, `${i}.json`)
      await writeFile(name, typeof file === 'string' ? file : JSON.stringify(file))
      return name
    }),
  )
  let out = ''
  const code = await bench(['compare', ...names], {
    print: (text) => {
      out += text
    },
  })
  return { code, out }
}

t.test('a figure that is worse beyond the noise gives exit code 1', async (t) => {
  const verdict = (before: Results, after: Results) =>
    changesOf(before, after).find(({ figure }) => figure.includes('CPU'))?.verdict
  t.equal(verdict(fileOf(FAST), fileOf(SLOW)), 'worse')
  t.equal(verdict(fileOf(SLOW), fileOf(FAST)), 'better')
  t.equal(verdict(fileOf(SLOW), fileOf(SLOW.map((cpu) => cpu + 0.5))), 'not distinguished')
  t.equal(verdict(fileOf([10, 10]), fileOf([20, 20])), 'not distinguished', 'too few rounds')
  t.equal(changeVerdict({ value: 1.03, low: 1.02, high: 1.06 }), 'tie', 'within 5 %')
  t.match(await compares(t, fileOf(FAST), fileOf(SLOW)), {
    code: 1,
    out: /ws +│ +server CPU, µs.*✗ 1 figure /s,
  })
  t.match(await compares(t, fileOf(SLOW), fileOf(FAST)), { code: 0, out: /✓ nothing got worse/ })
  t.match(await compares(t, fileOf(FAST), fileOf(FAST, { passed: false })), { out: /did not pass/ })
})

t.test('across machines, only machine-independent figures are compared', async (t) => {
  const other = { machine: { cpu: 'b', cores: 2, node: 'v20' } } as unknown as Partial<Results>
  t.match(await compares(t, fileOf(FAST), fileOf(SLOW, other)), { code: 0, out: /Different machines/ })
  t.equal((await compares(t, fileOf(FAST), fileOf(SLOW, other, 400))).code, 1)
})

t.test('three runs side by side, with their spread', async (t) => {
  const { code, out } = await compares(t, fileOf(FAST), fileOf(SLOW), fileOf(FAST))
  t.equal(code, 0)
  t.match(out, /max \/ min.*server CPU, µs.*2\.10 │ +no /s)
  t.match(out, /bytes +│.* 1\.00 │ +yes /)
  t.match(out, /✗ The confidence intervals of 1 figure do not overlap/)
  t.match(await compares(t, fileOf(FAST), fileOf(FAST), fileOf(FAST)), {
    out: /✓ the confidence intervals of all runs overlap/,
  })
  t.match(
    await compares(t, fileOf([10]), fileOf([11]), fileOf([12])),
    { out: /server CPU, µs.* –/ },
    'no intervals',
  )
  const other = { machine: { cpu: 'b', cores: 2, node: 'v20' } } as unknown as Partial<Results>
  const apart = await compares(t, fileOf(FAST), fileOf(FAST), fileOf(SLOW, other))
  t.match(apart.out, /Different machines/)
  t.notMatch(apart.out, /CPU, µs/)
})

t.test('a file that is not comparable gives a one-line error', async (t) => {
  const refuses = (why: RegExp, ...files: unknown[]) =>
    t.rejects(compares(t, ...files), { message: why, exitCode: 2 })
  await refuses(/takes two or more files/, fileOf(FAST))
  await refuses(/format 3, not/, fileOf(FAST), { format: 3 })
  await refuses(/not JSON/, fileOf(FAST), '{')
  const settings = { variants: ['ws'], subscribers: 5 } as unknown as Results['settings']
  await refuses(/different settings/, fileOf(FAST), fileOf(FAST, { settings }))
  await t.rejects(bench(['compare', '/nowhere', '/nowhere']), { message: /can't be read \(ENOENT\)/ })
  let help = ''
  t.equal(
    await bench(['compare', '-h'], {
      print: (text) => {
        help += text
      },
    }),
    0,
  )
  t.match(help, /BEFORE\.json/)
})

t.test('two checkouts in alternation', async (t) => {
  quickForks(t)
  const index = `export * from ${JSON.stringify(join(ROOT, 'index.ts'))}`
  const other = t.testdir({ dist: { 'index.js': index }, 'package.json': '{"type":"module"}' })
  const outcome = await runs(small('--against', other, '--transports', 'ws'))
  t.same(wrong(outcome), [])
  t.same(outcome.rounds.map(({ variant }) => variant).sort(), ['ws', 'ws, other'])
  const doubled = outcome.rounds.map((round) =>
    round.variant === 'ws' ? { ...round, bytes: { ...round.bytes!, both: 2 * round.bytes!.both } } : round,
  )
  const six = [0, 1, 2, 3, 4, 5].flatMap((block) => doubled.map((round) => ({ ...round, block })))
  const bytes = compareCheckouts({ ...outcome, rounds: six }).find(({ figure }) => figure === 'bytes')
  if (outcome.rounds.every(({ deliveries }) => deliveries > 0))
    t.match(bytes, { variant: 'ws', verdict: 'worse' })
  t.same(compareCheckouts({ ...outcome, settings: small() }), [], 'without another checkout')
  await t.rejects(runs(small('--against', '/nowhere')), { message: /run npm run build there/, exitCode: 2 })
})
