import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { mapOf } from '../../benchmarks/map.ts'
import {
  answerTable,
  type Published,
  picture,
  resultsText,
  withResults,
} from '../../benchmarks/publication.ts'
import { ROOT } from '../child.ts'

const file = (...path: string[]) => readFile(join(ROOT, ...path), 'utf8')
const readme = await file('README.md')
const results = JSON.parse(await file('benchmarks', 'results', 'results.json')) as Published

t.test('what the README and the picture say is what stands in the results', async (t) => {
  t.equal(withResults(readme, results), readme, 'npm run bench:publish writes both')
  t.equal(picture(results), await file('benchmarks', 'results', 'cheapest.svg'))
  const text = await file('benchmarks', 'results', 'RESULTS.md')
  const [, tables] = /```text\n(.*)```\n$/s.exec(text)!
  t.equal(resultsText(results, tables!), text)
  t.notOk(results.settings.quick || results.partial, 'a whole run')
})

t.test('a run that can not be cited says so', async (t) => {
  const fault = { kind: 'wrong' as const, text: 'a fault' }
  const bad = { ...results, passed: false, failures: [{ ...fault, section: 'headline' }], residuals: [] }
  t.match(withResults(readme, bad), /did not pass all of its gates/)
  const elsewhere = { ...bad, failures: [{ ...fault, section: 'rtt' }] }
  t.match(withResults(readme, elsewhere), /own figures held.*\(1 line, /)
  const twice = { ...elsewhere, failures: [...elsewhere.failures, ...elsewhere.failures] }
  t.match(withResults(readme, twice), /\(2 lines, /)
  t.notMatch(withResults(readme, { ...results, passed: true }), /did not pass all of its gates/)
  t.match(
    resultsText({ ...results, args: ['--seed', '2'], passed: true }, ''),
    /publish -- --seed 2`.*all hold/s,
  )
  t.match(resultsText({ ...results, args: [] }, ''), /publish`/)
  t.match(resultsText(bad, ''), /NOT all hold/)
})

t.test('what a run does not have is a dash', async (t) => {
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
  t.match(answerTable(few), /\| poll 7 s \| – \(–\) \| – \| – \| – \| – \| – \| – \| {2}\|/)
  t.match(withResults(readme, few), /poll 7 s/)
  const idle = (value: number, low: number | null, high: number | null) =>
    answerTable({ ...few, summaries: [{ ...little, cpu: { ...cpu, idle: { value, low, high } } }] })
  t.match(idle(40, 30, 50), /\| 40\.0 \| – \|/)
  t.match(idle(40, null, null), /\| 40\.0 \| – \|/, 'of one round')
  t.match(idle(-5, -20, 12), /\| < 12\.0 \| – \|/, 'what can’t be told from nothing')
  t.notMatch(withResults(readme, { ...results, ranking: [] }), /times the bytes of WebSocket/)
  t.throws(() => withResults('# Nothing', results), /has no <!--/)
})

t.test('the map: all that is asked for, and none where nothing keeps the delay', async (t) => {
  const svg = mapOf({ payload: 200, rtt: 0 }, undefined)
  for (const name of ['polling', 'WebSocket', 'none keeps it', '10 ms', '100 s', '0.001', '1000']) {
    t.ok(svg.includes(`>${name}</text>`), name)
  }
  t.equal(mapOf({ payload: 200, rtt: 40 }, undefined), svg, 'a round trip of 40 ms, where the run had none')
  t.notOk(mapOf({ payload: 200, rtt: 1000 }, undefined) === svg)
  t.notMatch(svg, /extrapolated/)
  const measured = (most: number) => {
    const coefficients = { subscribers: 1, rates: [0, most], held: new Map(), polls: new Map() } as const
    return mapOf({ payload: 200, rtt: 40 }, coefficients)
  }
  t.match(measured(20), /CPU extrapolated<\/text>/)
  t.notMatch(measured(1000), /extrapolated/, 'the map ends there')
  t.notMatch(svg, /https?:\/\/(?!www\.w3\.org)/, 'it needs nothing else')
})
