import t from 'tap'
import { adapterOf } from '../../benchmarks/adapters/adapter.ts'
import { hasNchan } from '../../benchmarks/fanout/nchan.ts'
import { isDisturbed } from '../../benchmarks/gates.ts'
import { cpuOf } from '../../benchmarks/machine.ts'
import { report } from '../../benchmarks/report.ts'
import { quickForks, runs, small, wrong } from './small.ts'

/** All transports of a server are read to the last message. */
export function reads(name: string): void {
  const skip = name === 'nchan' && !hasNchan() && 'it is not installed'
  t.test(`${name}: all transports are read to the last message`, { skip }, async (t) => {
    quickForks(t)
    const { readers } = await adapterOf(name)
    const outcome = await runs(small('--target', name))
    t.same(wrong(outcome), [])
    t.equal(outcome.rounds.length, Object.keys(readers).length)
    for (const round of outcome.rounds) {
      const { variant, deliveries, bytes, cpuPerSecond, missed } = round
      t.equal(missed, 0, variant)
      // A machine that gives it no time: what came, came after the window.
      if (deliveries === 0 && isDisturbed(round)) continue
      t.ok(deliveries > 0 && bytes!.both > 200, variant)
      if (cpuOf(process.pid) !== undefined) t.ok(cpuPerSecond! >= 0, 'its CPU is that of its process')
    }
    t.match(report(outcome), /A delivered message/)
  })
}
