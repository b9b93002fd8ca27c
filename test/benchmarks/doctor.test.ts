import t from 'tap'
import { checkMachine, doctorCommand, findingsOf, type MachineChecks } from '../../benchmarks/doctor.ts'
import { type BenchOptions, parseBenchOptions } from '../../benchmarks/options.ts'

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
  t.match(out, /3 requirements \(✗\) are not met/)
  const states = (looked: Partial<MachineChecks>) =>
    findingsOf({ ...GOOD, ...looked }, parseBenchOptions([]) as BenchOptions).filter(
      ({ state }) => state !== 'ok',
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
