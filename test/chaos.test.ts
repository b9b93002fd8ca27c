import t from 'tap'
import { runChaos } from './chaos/chaos.ts'

// Half a minute of what `npm run chaos` does for an hour. CHAOS_SEED repeats the choices of a run, not its timing.
const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31))

t.test(`chaos: CHAOS_SEED=${seed}`, { timeout: 240_000 }, async (t) => {
  const plan = { minutes: 0.3, seed, clients: 20, rate: 40, kills: 1, retention: 25 }
  const { violations, texts, ...figures } = await runChaos(plan, (line) => t.comment(line))
  t.strictSame(violations, {}, texts.join('\n'))
  t.ok(figures.delivered > 0 && figures.gaps > 0, `${figures.delivered} delivered, ${figures.gaps} gaps`)
  t.equal(figures.kills, plan.kills, 'the server was killed')
  t.equal(figures.publishes.settled, figures.publishes.started, 'every publish has settled')
})
