import t from 'tap'
import { pageOf } from '../../benchmarks/html.ts'
import { report } from '../../benchmarks/report.ts'
import { looksRight, quickForks, runs, small } from './small.ts'

t.test('at a round trip of 100 ms each figure of the model is judged, and the verdict printed', async (t) => {
  quickForks(t)
  const outcome = await runs(
    small('--rtt', '100', '--rounds', '3', '--transports', 'ws', '--channels', 'each'),
  )
  looksRight(t, outcome)
  for (const { trips, accepted } of outcome.rounds) {
    t.ok(trips!.echo! >= 0.1 && trips!.http >= 0.1 && accepted!.mean >= 50, 'half a round trip at least')
  }
  const [delay, requests, bytes] = outcome.residuals
  t.match(outcome.residuals, [{ figure: 'delay' }, { figure: 'requests' }, { figure: 'bytes' }])
  t.ok(requests!.holds !== null && bytes!.holds, 'bytes no machine can spoil')
  // A busy machine makes a delay longer than its model: whether that one holds is for a quiet one to tell.
  t.ok(delay!.model >= 50 && delay!.measured >= 50, 'it is of the way')
  t.ok(delay!.bound >= delay!.model * 0.1)
  const within = Math.abs(delay!.measured - delay!.model) <= delay!.bound
  t.ok([null, within].includes(delay!.holds))
  const verdict = delay!.holds === null ? 'not judged' : delay!.holds ? 'yes' : 'FAILED'
  const text = report(outcome)
  t.match(text, new RegExp(`headline +│ +ws │ +delay, ms │.*│ +${verdict} │`))
  t.match(text, /round trip \+ 100 ms/)
  t.match(text, /no loss, no bandwidth/)
  t.match(await pageOf(outcome), /fill="none"/, 'where none keeps the delay')
})

t.test('through the delay proxy, by the other transports, with the headers of fetch', async (t) => {
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
