import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { cheapestChart } from '../../benchmarks/cheapest-chart.ts'
import { FORMAT } from '../../benchmarks/json.ts'
import {
  cheapestPicture,
  EARLIER_NOTICE,
  type PublishedResults,
  resultsTable,
  resultsText,
  withResults,
} from '../../benchmarks/publication.ts'
import { ROOT } from '../child.ts'

const file = (...path: string[]) => readFile(join(ROOT, ...path), 'utf8')
const readme = await file('README.md')
const published = JSON.parse(await file('benchmarks', 'results', 'results.json')) as PublishedResults

/** The published results, converted to the current format. */
const results: PublishedResults = {
  ...published,
  format: FORMAT,
  judgements: [
    {
      ...{ section: 'headline', title: 'Main workload', state: 'holds', rounds: 8, quiet: 8, reasons: [] },
      model: { holds: 3, fails: 0, unjudged: 0 },
    },
  ],
  heatings: [],
  hot: published.hot ?? [],
  ceiling: published.ceiling.map((one) => ({ ...one, messages: 0, cpuPerRequest: 30 })),
}

t.test('README and picture match the results', async (t) => {
  const text = await file('benchmarks', 'results', 'RESULTS.md')
  t.notOk(published.settings.quick || published.partial, 'a whole run')
  if (published.format !== FORMAT) {
    for (const page of [readme, text, await file('benchmarks', 'results', 'results.html')]) {
      t.ok(page.includes(EARLIER_NOTICE), 'the page has the notice of earlier results')
    }
    return
  }
  t.equal(withResults(readme, published), readme, 'npm run bench:publish writes both')
  t.equal(cheapestPicture(published), await file('benchmarks', 'results', 'cheapest.svg'))
  const [, tables] = /```text\n(.*)```\n$/s.exec(text)!
  t.equal(resultsText(published, tables!), text)
})

t.test('replaces the text between the markers of the README', async (t) => {
  const text = withResults(readme, results)
  t.notMatch(text, EARLIER_NOTICE)
  t.equal(withResults(text, results), text)
  t.match(cheapestPicture(results), /^<svg/)
})

t.test('a notice if the run is not valid', async (t) => {
  const [headline] = results.judgements
  const bad = { ...results, passed: false }
  t.match(withResults(readme, bad), /This run is not valid/)
  const elsewhere = {
    ...results,
    passed: true,
    judgements: [headline!, { ...headline!, section: 'idle', title: 'Idle', state: 'void' as const }],
  }
  t.match(withResults(readme, elsewhere), /figures of this table are valid\. .*Do not cite .*: Idle\./)
  t.notMatch(withResults(readme, { ...results, passed: true }), /Do not cite/)
  t.match(
    resultsText({ ...results, args: ['--seed', '2'], passed: true }, ''),
    /publish -- --seed 2`.*valid \| yes/s,
  )
  t.match(resultsText({ ...results, args: [] }, ''), /publish`/)
  t.match(resultsText(bad, ''), /valid \| NO: see/)
})

t.test('missing figures are dashes', async (t) => {
  const [first] = results.summaries
  const little = {
    ...first!,
    variant: 'poll 7 s',
    latency: null,
    requests: null,
    bytes: null,
    atFloor: false,
  }
  const settings = { ...results.settings, variants: ['poll 7 s'] }
  const cpu = { total: null, idle: null, marginal: null, perSecond: null, own: null }
  const few = { ...results, settings, summaries: [{ ...little, cpu }], memory: [] }
  t.match(resultsTable(few), /\| poll 7 s \| – \(–\) \| – \| – \| – \| – \| – \| – \| {2}\|/)
  t.match(withResults(readme, few), /poll 7 s/)
  const idle = (value: number, low: number | null, high: number | null) =>
    resultsTable({ ...few, summaries: [{ ...little, cpu: { ...cpu, idle: { value, low, high } } }] })
  t.match(idle(40, 30, 50), /\| 40\.0 \| – \|/)
  t.match(idle(40, null, null), /\| 40\.0 \| – \|/, 'of one round')
  t.match(idle(-5, -20, 12), /\| < 12\.0 \| – \|/, 'may be zero')
  t.notMatch(withResults(readme, { ...results, ranking: [] }), /times the bytes of WebSocket/)
  t.throws(() => withResults('# Nothing', results), /has no <!--/)
})

t.test('the map has all transports, and blank areas where none meets the latency', async (t) => {
  const of = { subscribers: 100, payload: 200 }
  const svg = cheapestChart({ ...of, rtt: 0 }, undefined)
  for (const name of ['polling', 'WebSocket', 'no transport', '10 ms', '100 s', '0.001', '1000']) {
    t.ok(svg.includes(`>${name}</text>`), name)
  }
  t.equal(cheapestChart({ ...of, rtt: 40 }, undefined), svg, 'the default round trip is 40 ms')
  t.notOk(cheapestChart({ ...of, rtt: 1000 }, undefined) === svg)
  t.notMatch(svg, /https?:\/\/(?!www\.w3\.org)/, 'the picture is self-contained')
})
