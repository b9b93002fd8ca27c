import type { Test } from 'tap'
import { find } from '../../needs.ts'
import { blocksOf, fill } from '../../proxies/document.ts'
import { type Launch, type Place, Program } from '../../proxies/launch.ts'
import { nginx } from '../../proxies/nginx.ts'
import { type Asked, KINDS, type Reader } from '../readers.ts'
import { CHANNELS, Stage } from '../stage.ts'

export interface Plan {
  readonly clients: number
  /** Messages a second. */
  readonly rate: number
  /** Milliseconds over which an instance that closes sends its readers away. */
  readonly drain: number
}

/** Publishes under way at once are a part of the rate. */
const LANES = 10

/** The nginx of the documentation, before several instances. */
function before(place: Place, ports: readonly number[]): Launch {
  const launch = nginx.documented(place)
  const [several] = blocksOf('Several instances')
  const upstream = fill(
    several!,
    Object.fromEntries(ports.map((port, i) => [`127.0.0.1:${3000 + i};`, `127.0.0.1:${port};`])),
  )
  const config = String(launch.files['nginx.conf'])
    .replace(/^upstream .*?^}$/ms, upstream)
    .replace('worker_connections 768', 'worker_connections 4096')
  return { ...launch, files: { 'nginx.conf': config } }
}

/** Three instances behind nginx are replaced one after another, and nobody who reads or publishes loses anything. */
export async function deploy(t: Test, { clients, rate, drain }: Plan): Promise<void> {
  const readers: Asked[] = Array.from({ length: clients }, (_, i) => ({
    kind: KINDS[i % KINDS.length]!,
    channels: CHANNELS,
    whole: true,
    pause: 500,
  }))
  const stage = await Stage.set(t, {
    instances: 3,
    readers,
    start: { tidings: { drain } },
    load: { lanes: LANES, pause: (1000 * LANES) / rate },
    async front(ports) {
      const program = await Program.run(find('nginx')!, ports[0]!, (place) => before(place, ports))
      t.teardown(() => program.end())
      return `http://127.0.0.1:${program.place.port}`
    },
  })
  await stage.mark()
  for (const old of [...stage.instances]) {
    const began = performance.now()
    const closed = old.close()
    await closed
    const took = performance.now() - began
    stage.leave(old)
    await stage.enter({ port: old.port })
    const [first, last, peak, count] = spread(stage.readers, began)
    t.comment(`closed in ${Math.round(took)} ms; ${count} came back, ${peak} at most in a second`)
    t.ok(last - first >= drain / 3, 'those that were sent away did not come back at once')
    await stage.publisher.more(rate)
  }
  await stage.conclude()
  const { accepted, refused } = stage.publisher
  t.comment(
    `${accepted.length} published; ${JSON.stringify(Object.fromEntries(refused))} refused and asked again`,
  )
  const given = stage.readers.reduce((sum, { judge }) => sum + judge.given.length, 0)
  t.comment(`${given} given to ${clients} clients`)
}

/** When those who hold connections came back since then. */
function spread(
  readers: readonly Reader[],
  since: number,
): [first: number, last: number, peak: number, count: number] {
  const returns = readers
    .filter(({ asked }) => asked.kind === 'sse' || asked.kind === 'ws' || asked.kind === 'client')
    .flatMap((reader) => reader.returns.filter((at) => at >= since))
    .sort((a, b) => a - b)
  let peak = 0
  for (const [i, from] of returns.entries()) {
    let to = i
    while (to < returns.length && returns[to]! < from + 1000) to++
    peak = Math.max(peak, to - i)
  }
  return [returns[0] ?? 0, returns.at(-1) ?? 0, peak, returns.length]
}
