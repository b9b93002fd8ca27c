import { createRequire } from 'node:module'
import t from 'tap'
import { measureCeiling, measureMemory } from '../../benchmarks/extras.ts'
import { load, MissingPeer } from '../../benchmarks/peers.ts'
import { Stage } from '../../benchmarks/round.ts'
import { small } from './small.ts'

t.test('what is measured beside the rounds', async (t) => {
  const stage = new Stage(undefined)
  t.teardown(() => stage.end())
  const settings = small('--transports', 'ws')
  const memory = await measureMemory(stage, settings, [0, 2])
  t.match(memory, [{ kind: 'ws', points: [{ subscribers: 0 }, { subscribers: 2 }] }])
  t.ok(memory[0]!.points.every(({ rssBytes }) => rssBytes > 1e6))
  t.ok(Number.isFinite(memory[0]!.rssPerSubscriber) && Number.isFinite(memory[0]!.kernelPerSubscriber))

  const ceiling = await measureCeiling(stage, settings, 1)
  t.same(
    ceiling.map(({ answer, errors }) => [answer, errors]),
    [
      ['nothing new', 0],
      ['one new', 0],
      ['a hundred new', 0],
    ],
  )
  const weight = ceiling.map(({ bytesPerSecond, requestsPerSecond }) => bytesPerSecond / requestsPerSecond)
  t.ok(weight[0]! < weight[1]! && weight[1]! < weight[2]!, `bytes an answer: ${weight}`)

  await stage.end()
  await t.rejects(stage.idle('ws', 1), /Interrupted/)
})

t.test('a package that is missing is named, with what to do', async (t) => {
  const missing = async () => createRequire(import.meta.url).resolve('no-such-package')
  await t.rejects(load('no-such-package', missing), new MissingPeer('no-such-package'))
  await t.rejects(
    load('x', () => Promise.reject(new Error('broken'))),
    { message: 'broken' },
  )
})
