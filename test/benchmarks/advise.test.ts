import t from 'tap'
import { cli } from '../child.ts'

t.test('advise: help, nothing that fits, and the CPU of a run', async (t) => {
  const results = (subscribers: number) =>
    JSON.stringify({ format: 1, settings: { subscribers, rate: 5 }, summaries: [] })
  const directory = t.testdir({ 'few.json': results(10), 'many.json': results(1000) })
  const cases: [args: string[], out: RegExp][] = [
    [['--help'], /--latency-p99 MS/],
    [['--latency-p99', '1', '--rtt', '100'], /No transport fits/],
    [['--results', `${directory}/few.json`], /extrapolated: measured were 10 subscribers/],
    [['--results', `${directory}/many.json`], /CPU by the coefficients of that file/],
  ]
  const said = cases.map(async ([args, out]) => {
    const child = cli(t, ['advise', ...args])
    t.match(await child.ended, { code: 0 })
    t.match(child.stdout, out)
  })
  await Promise.all(said)
})
