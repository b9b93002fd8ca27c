import t, { type Test } from 'tap'
import { bench } from '../../benchmarks/bench.ts'
import { predict } from '../../benchmarks/residual.ts'
import { build } from '../helper.ts'
import { quickForks, runs, SMALL, small } from './small.ts'

/** The command, to which something is done so that it must fail. @returns what it says */
async function failing(
  t: Test,
  args: string[],
  injected: NonNullable<Parameters<typeof bench>[1]>,
): Promise<string> {
  quickForks(t)
  let out = ''
  const code = await bench([...SMALL, ...args], {
    ...injected,
    print: (text) => {
      out += text
    },
    progress: () => {},
  })
  t.equal(code, 1)
  t.match(out, /FAILED: these figures are not to be cited/)
  return out
}

t.test('a message that is dropped, comes twice, out of order or of itself', async (t) => {
  const { url } = await build(t, { publish: true })
  const out = await failing(t, ['--url', url, '--transports', 'sse', '--subscribers', '4'], {
    inject: { spoil: true },
  })
  for (const why of [
    '1 messages were missed',
    '1 messages came twice',
    '1 messages came out of order',
    'A message came that was not sent',
  ]) {
    t.ok(out.includes(`FAILED: headline: sse, block 1: ${why}`), why)
  }
})

t.test('a publisher that is starved', async (t) => {
  const { url } = await build(t, { publish: true })
  const out = await failing(t, ['--url', url, '--transports', 'ws', '--rate', '40'], {
    inject: { starve: 60 },
  })
  t.match(
    out,
    /FAILED: headline: ws, block 1: only [\d.]+ % of the planned publishes were accepted in the window/,
  )
})

t.test('a machine that is disturbed is looked at, and the block run again', async (t) => {
  quickForks(t)
  const { url } = await build(t, { publish: true })
  const settings = { ...small('--url', url, '--transports', 'sse'), quick: false }
  const lines: string[] = []
  const { repeated, failures } = await runs(settings, {
    progress: (line) => lines.push(line.replace(/\d+ s left/, '')),
    inject: { starve: 20 },
    limits: { repeats: 1, idle: [], ceiling: 1, alone: false },
  })
  t.equal(repeated, 1)
  t.ok(failures.some(({ kind, text }) => kind === 'outside' && text.includes('the publisher lagged by')))
  t.equal(lines[0], 'Headline, block 1 of 1: sse; ')
  t.match(lines[1], /^Is the machine our own/)
  t.equal(lines.at(-1), 'Headline, block 1 of 1, repeated: sse; ')
})

t.test('a wrong model', async (t) => {
  const model: typeof predict = (...args) => {
    const prediction = predict(...args)
    return prediction && { ...prediction, bytes: prediction.bytes * 1.2 }
  }
  const out = await failing(t, ['--transports', 'ws', '--rounds', '3'], { model })
  t.match(out, /headline +│ +ws │ +bytes\/message │.*│ +FAILED │/)
})
