import t from 'tap'
import { adapterOf } from '../../benchmarks/adapters/adapter.ts'
import { isDisturbed } from '../../benchmarks/failures.ts'
import { hasNchan } from '../../benchmarks/fanout/nchan.ts'
import { procCpuOf } from '../../benchmarks/machine.ts'
import { report } from '../../benchmarks/report.ts'
import { quickForks, runs, small, wrong } from './small.ts'

/** Checks that every transport of a server reads up to the last message. */
export function reads(name: string): void {
  const skip = name === 'nchan' && !hasNchan() && 'not installed'
  t.test(`${name}: every transport reads up to the last message`, { skip }, async (t) => {
    quickForks(t)
    const { readers } = await adapterOf(name)
    const outcome = await runs(small('--target', name))
    t.same(wrong(outcome), [])
    t.equal(outcome.rounds.length, Object.keys(readers).length)
    for (const round of outcome.rounds) {
      const { variant, deliveries, bytes, cpuPerSecond, missed } = round
      t.equal(missed, 0, variant)
      // On a starved machine, all messages may arrive after the window.
      if (deliveries === 0 && isDisturbed(round)) continue
      t.ok(deliveries > 0 && bytes!.both > 200, variant)
      if (procCpuOf(process.pid) !== undefined) t.ok(cpuPerSecond! >= 0, 'the CPU is that of the process')
    }
    t.match(report(outcome), /Per delivered message/)
  })
}
