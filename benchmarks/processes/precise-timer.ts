import { Worker } from 'node:worker_threads'

/**
 * A thread that sleeps until a given time. Plain JavaScript, because TypeScript loaders do not apply to worker threads.
 */
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
 * Calls back at a time, never before it and some hundred microseconds after it. Timers have a resolution of one
 * millisecond and fire up to two milliseconds early. A thread sleeps instead, so this process can handle I/O meanwhile.
 */
export class PreciseTimer {
  /** Incremented with each change of `due`, to wake the thread. */
  readonly #changes = new Int32Array(new SharedArrayBuffer(4))
  readonly #due = new Float64Array(new SharedArrayBuffer(8)).fill(Number.POSITIVE_INFINITY)
  #ring!: () => void

  constructor() {
    const worker = new Worker(SLEEPER, {
      eval: true,
      execArgv: [],
      workerData: { changes: this.#changes, due: this.#due },
    })
    // The alarm may have been set again while a message of the thread was on its way.
    worker.on('message', (at: number) => {
      if (at === this.#due[0]) this.#ring()
    })
    // Call unref() last: adding a listener calls ref().
    worker.unref()
  }

  /** @param at microseconds on the shared clock; replaces the previous alarm */
  set(at: number, ring: () => void): void {
    this.#ring = ring
    this.#due[0] = at
    Atomics.add(this.#changes, 0, 1)
    Atomics.notify(this.#changes, 0)
  }
}
