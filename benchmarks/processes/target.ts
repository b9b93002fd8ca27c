import { adapterOf } from '../adapters/adapter.ts'
import { answer } from './child.ts'

/** A server under test that is none of ours, as its adapter starts it. */

let stop: (() => unknown) | undefined

const api = {
  /** @returns where it listens, and which process does its work */
  async start(target: string): Promise<{ port: number; pid: number }> {
    const { start } = await adapterOf(target)
    const { port, pid = process.pid, stop: end } = await start()
    stop = end
    return { port, pid }
  },

  /** What it has begun beside itself is ended. */
  async end(): Promise<void> {
    await stop?.()
  },
}

process.on('exit', () => stop?.())

export type TargetApi = typeof api
answer(api)
