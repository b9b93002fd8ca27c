import { Worker } from 'node:worker_threads'

/** The thread that sleeps. It is JavaScript as it stands: what loads TypeScript does not reach into threads. */
const SLEEPER = `
const { parentPort, workerData: { changes, due } } = require('node:worker_threads')
for (;;) {
  const seen = Atomics.load(changes, 0)
  const at = due[0]
  const [seconds, nanoseconds] = process.hrtime()
  const left = at - seconds * 1e6 - nanoseconds / 1e3
  if (left <= 0) parentPort.postMessage(at)
  Atomics.wait(changes, 0, seen, left > 0 ? left / 1000 : Infinity)
}`

/**
 * Calls at a time, never before it and some hundred microseconds after it. Timers have a grain of a millisecond, and
 * fire up to two early: a thread sleeps in this one's stead, which meanwhile reads what comes.
 */
export class Alarm {
  /** How often it was set, and for when: shared with the thread. */
  readonly #changes = new Int32Array(new SharedArrayBuffer(4))
  readonly #due = new Float64Array(new SharedArrayBuffer(8)).fill(Number.POSITIVE_INFINITY)
  #ring!: () => void

  constructor() {
    const worker = new Worker(SLEEPER, {
      eval: true,
      execArgv: [],
      workerData: { changes: this.#changes, due: this.#due },
    })
    // It may have been set again while a ring was under way.
    worker.on('message', (at: number) => {
      if (at === this.#due[0]) this.#ring()
    })
    // Not before: listening holds the process again.
    worker.unref()
  }

  /** @param at microseconds on the shared clock, in place of what it was set for */
  set(at: number, ring: () => void): void {
    this.#ring = ring
    this.#due[0] = at
    Atomics.add(this.#changes, 0, 1)
    Atomics.notify(this.#changes, 0)
  }
}
