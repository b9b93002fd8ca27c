import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { LOADER, UNCOVERED } from './child.ts'
import { build, openSocket, openStream } from './helper.ts'

const READERS = fileURLToPath(new URL('./fixtures/readers.ts', import.meta.url))

/** Many readers that keep up, in a process of their own. */
class Crowd {
  #all = 0
  #open = 0
  #look = () => {}
  readonly #faults: string[] = []

  constructor(t: Test, port: number, path: string, count: number) {
    const child = fork(READERS, [String(port), path, String(count)], {
      execArgv: LOADER,
      env: { ...process.env, ...UNCOVERED },
    })
    child.on('message', (message: { open?: true; all?: number; fault?: string }) => {
      if (message.open) this.#open++
      if (message.all !== undefined) this.#all = message.all
      if (message.fault) this.#faults.push(message.fault)
      this.#look()
    })
    t.teardown(async () => {
      const gone = once(child, 'exit')
      child.disconnect()
      await gone
    })
  }

  async #until(done: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#look = () => {
        if (done() || this.#faults.length > 0) resolve()
      }
      this.#look()
    })
    if (this.#faults.length > 0) throw new Error(this.#faults[0])
  }

  opened(count: number): Promise<void> {
    return this.#until(() => this.#open === count)
  }

  /** All of them have this message, and all before it, each once. */
  reached(number: number): Promise<void> {
    return this.#until(() => this.#all >= number)
  }
}

const MB = 1024 * 1024

setFlagsFromString('--expose_gc')
const collect: () => void = runInNewContext('gc')

/** Bytes that are held, not those that wait for collection. */
function held(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Messages of 64 KiB whose text begins with their number, published as fast as the crowd takes them. */
async function publishAll(
  publish: (text: string) => Promise<unknown>,
  crowd: Crowd,
  messages: number,
): Promise<{ most: number }> {
  const filler = 'x'.repeat(64 * 1024 - 16)
  const before = held()
  let most = 0
  for (let number = 1; number <= messages; number++) {
    await publish(`#${number}#${filler}`)
    if (number % 16 !== 0) continue
    await crowd.reached(number)
    if (number % 200 === 0) most = Math.max(most, held() - before)
  }
  return { most }
}

t.test('96 MB go to 100 sockets while one has stopped reading', { timeout: 200_000 }, async (t) => {
  const { app, url, port } = await build(t, {
    retention: { bytes: 16 * MB },
    slowConsumer: { timeout: 600_000 },
    // The crowd answers no pings.
    heartbeat: { ws: 600_000 },
  })
  const stalled = await openSocket(t, `${url}/ws?channel=big`)
  const ready = await stalled.json()
  stalled.ws.pause()
  const crowd = new Crowd(t, port, '/ws?channel=big', 100)
  await crowd.opened(100)
  const messages = (96 * MB) / (64 * 1024)

  const { most } = await publishAll((text) => app.tidings.publish('big', text), crowd, messages)

  t.pass(`every other reader has all ${messages} messages, in order`)
  t.ok(most < 64 * MB, `the server held ${Math.round(most / MB)} MB more at most`)

  // It reads again: what its socket had taken, one gap, and the rest.
  stalled.ws.resume()
  let last = Number(ready.cursor.split('.')[1])
  let gaps = 0
  while (last < messages) {
    const frame = await stalled.json()
    const seq = Number(frame.cursor.split('.')[1])
    if (frame.type === 'gap') {
      gaps++
      t.ok(seq > last, 'the gap leads on')
    } else if (seq !== last + 1) t.fail(`${seq} came after ${last}`)
    last = seq
  }
  t.equal(gaps, 1, 'the hole is told once')
  t.equal(app.tidings.bus.log.groups.watching, 101, 'and it is live again')
})

t.test('20 MB go to 20 event streams while one has stopped reading', async (t) => {
  const { app, url, port } = await build(t, {
    retention: { bytes: 64 * MB },
    slowConsumer: { timeout: 600_000 },
  })
  const stalled = await openStream(t, `${url}/sse?channel=big`)
  const crowd = new Crowd(t, port, '/sse?channel=big', 20)
  await crowd.opened(20)
  const messages = (20 * MB) / (64 * 1024)

  await publishAll((text) => app.tidings.publish('big', text), crowd, messages)

  // It was never asked for its blocks: what fetch had not taken waited in the log.
  let block = await stalled.next()
  while (block.event !== 'ready') block = await stalled.next()
  for (let number = 1; number <= messages; number++) {
    const { data } = await stalled.next()
    if (!JSON.parse(data!).data.startsWith(`#${number}#`)) t.fail(`${number} is missing`)
  }
  t.pass('it has them all')
})
