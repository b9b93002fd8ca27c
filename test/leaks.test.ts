import { fork } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { LOADER, UNCOVERED } from './child.ts'
import type { Wave } from './fixtures/quitters.ts'
import { build, until } from './helper.ts'

const QUITTERS = fileURLToPath(new URL('./fixtures/quitters.ts', import.meta.url))
const WAVES = 25
const COUNT = 400

setFlagsFromString('--expose_gc')
const collect: () => void = runInNewContext('gc')

function quitters(t: Test): { tell(wave: Wave): void; fault(): string | undefined } {
  const child = fork(QUITTERS, { execArgv: LOADER, env: { ...process.env, ...UNCOVERED } })
  let fault: string | undefined
  child.on('message', (message: { fault: string }) => {
    fault ??= message.fault
  })
  t.teardown(async () => {
    const gone = once(child, 'exit')
    child.disconnect()
    await gone
  })
  return { tell: (wave) => void child.send(wave), fault: () => fault }
}

/** What keeps the process alive, counted. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1
  delete counts.Immediate
  return counts
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!
}

for (const path of ['/longpoll?cursor=now', '/sse', '/ws', '/ws?format=raw']) {
  t.test(`${WAVES * COUNT} readers come and go: ${path}`, async (t) => {
    const { signal } = new AbortController()
    // As many as come at once: one that was not given back would be missed in the next wave.
    const { app, url, port } = await build(t, { stats: true, maxReaders: COUNT, authorize: () => signal })
    const { log } = app.tidings.bus
    const client = quitters(t)
    const heap: number[] = []
    let before: Record<string, number> | undefined
    for (let i = 0; i < WAVES; i++) {
      client.tell({ open: { port, path, count: COUNT } })
      await until(() => log.groups.watching === COUNT || client.fault() !== undefined)
      if (client.fault() !== undefined) throw new Error(client.fault())
      client.tell({ leave: i % 5 === 0 ? 'end' : 'reset' })
      await until(() => log.groups.watching === 0 && getEventListeners(signal, 'abort').length === 0)
      for (let open = 1; open > 0; ) {
        const { transports } = (await (await fetch(`${url}/stats`)).json()) as {
          transports: Record<string, { open: number }>
        }
        open = Object.values(transports).reduce((sum, transport) => sum + transport.open, 0)
      }
      collect()
      heap.push(process.memoryUsage().heapUsed)
      before ??= resources()
    }
    t.strictSame(resources(), before)
    // The first waves warm the code up. What a collection leaves varies by 2 KB a reader from wave to wave, so
    // medians of ten are compared: a quarter of a KB of each reader of the ten waves between them would show.
    const growth = median(heap.slice(-10)) - median(heap.slice(-20, -10))
    t.ok(growth < 256 * COUNT * 10, `the heap has grown by ${growth} bytes`)
  })
}
