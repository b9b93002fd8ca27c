import t from 'tap'
import { htmlReport } from '../../benchmarks/html.ts'
import { report } from '../../benchmarks/report.ts'
import { looksRight, quickForks, runs, small } from './small.ts'

t.test('with a round trip of 100 ms, all figures of the model are compared', async (t) => {
  quickForks(t)
  const outcome = await runs(
    small('--rtt', '100', '--rounds', '3', '--transports', 'ws', '--channels', 'each'),
  )
  looksRight(t, outcome)
  for (const { trips, accepted } of outcome.rounds) {
    t.ok(trips!.echo! >= 0.1 && trips!.http >= 0.1 && accepted!.mean >= 50, 'at least half a round trip')
  }
  const [delay, , bytes] = outcome.residuals
  t.match(outcome.residuals, [{ figure: 'delay' }, { figure: 'requests' }, { figure: 'bytes' }])
  t.ok(bytes!.holds, 'bytes do not depend on the machine')
  // A busy machine increases the delay, so this test does not check the verdict itself.
  t.ok(delay!.model >= 50 && delay!.measured >= 50, 'the delay includes the one-way delay')
  t.ok(delay!.bound >= delay!.model * 0.1)
  const within = Math.abs(delay!.measured - delay!.model) <= delay!.bound
  t.ok([null, within].includes(delay!.holds))
  const verdict = delay!.holds === null ? 'inconclusive' : delay!.holds ? 'yes' : 'NO'
  const text = report(outcome)
  t.match(text, new RegExp(`headline +│ +ws │ +latency from acceptance, ms │.*│ +${verdict} │`))
  t.match(text, /round trip \+ 100 ms/)
  t.match(text, /no loss, no bandwidth/)
  t.match(await htmlReport(outcome), /fill="none"/, 'no transport meets the latency')
})

t.test('through the delay proxy, with the other transports and the headers of fetch', async (t) => {
  quickForks(t)
  const outcome = await runs(
    small('--rtt', '20', '--header-profile', 'fetch', '--transports', 'poll,longpoll,sse'),
  )
  looksRight(t, outcome)
  t.equal(outcome.rounds.length, 3)
  for (const { variant, trips, accepted } of outcome.rounds) {
    t.ok(trips!.echo! >= 0.02 && accepted!.mean >= 10, variant)
  }
})
