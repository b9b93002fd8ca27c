import t from 'tap'
import { bench } from '../../benchmarks/bench.ts'
import { checkMachine, doctorCommand, findingsOf, type MachineChecks } from '../../benchmarks/doctor.ts'
import { COLUMNS, NUMBERED } from '../../benchmarks/explain.ts'
import { type BenchOptions, parseBenchOptions } from '../../benchmarks/options.ts'
import { report } from '../../benchmarks/report.ts'
import { quickForks, runs, small } from './small.ts'

const GOOD: MachineChecks = {
  ...{ cores: 2, busy: 0.01, steal: 0, files: 100_000, schedstat: true, slabs: true },
  tool: () => true,
  has: () => true,
}

async function doctor(
  looked: Partial<MachineChecks>,
  ...args: string[]
): Promise<{ code: number; out: string }> {
  let out = ''
  const print = (text: string) => {
    out += text
  }
  return { code: await doctorCommand(args, print, async () => ({ ...GOOD, ...looked })), out }
}

t.test('a suitable machine, and the estimated duration', async (t) => {
  const { code, out } = await doctor({})
  t.equal(code, 0)
  const [, minutes] = /The run will take (\d+) min, or at most 19 min/.exec(out)!
  t.ok(Number(minutes) > 5 && Number(minutes) <= 19, `${minutes} minutes`)
  t.match((await doctor({}, '--quick')).out, /The run will take [12] min/)
  t.match(await doctor({}, '-h'), { code: 0, out: /Usage/ })
})

t.test('reports all problems at once', async (t) => {
  const missing = { busy: 0.5, files: 1024, has: (name: string) => name !== 'uplot', tool: () => false }
  const { code, out } = await doctor(missing)
  t.equal(code, 2)
  for (const line of [
    /✗ CPU used by other processes: 50\.0 %/,
    /✗ ulimit -n: 1024/,
    /✗ package uplot/,
    /\? chrt: /,
  ]) {
    t.match(out, line)
  }
  t.match(out, /Fix 3 of these first/)
  const states = (looked: Partial<MachineChecks>) =>
    findingsOf({ ...GOOD, ...looked }, parseBenchOptions([]) as BenchOptions).filter(
      ({ state }) => state !== 'good',
    )
  t.same(states({}), [])
  t.equal(states({ cores: 1 }).length, 1)
  t.equal(states({ steal: 0.1 }).length, 1)
})

t.test('checks of this machine', async (t) => {
  const found = await checkMachine()
  t.ok(found.cores >= 1 && found.busy >= 0 && found.busy <= 1 && found.files > 0)
  t.ok(found.has('uplot') && !found.has('no-such-package') && !found.tool('no-such-tool'))
})

t.test('every column of the tables has an explanation', async (t) => {
  quickForks(t)
  let out = ''
  const code = await bench(['--explain'], {
    print: (text) => {
      out += text
    },
  })
  t.equal(code, 0)
  t.match(out, /p99 ms.*99 of 100 messages arrived within/s)
  const outcome = await runs(small('--transports', 'ws', '--heat', '200'))
  const heads = [...report(outcome).matchAll(/^┌.*\n│(.*)│$/gm)].flatMap(([, line]) =>
    line!.split('│').map((name) => name.trim()),
  )
  t.ok(heads.length > 20)
  const known = (name: string) => name in COLUMNS || NUMBERED.some(([pattern]) => pattern.test(name))
  t.same(
    heads.filter((name) => !known(name)),
    [],
  )
})
