import { adapterOf } from '../adapters/adapter.ts'
import { serveApi } from './child.ts'

/** A server that an adapter starts. */

let stop: (() => unknown) | undefined

const api = {
  /** @returns the port, and the process that does the work */
  async start(target: string): Promise<{ port: number; pid: number }> {
    const { start } = await adapterOf(target)
    const { port, pid = process.pid, stop: end } = await start()
    stop = end
    return { port, pid }
  },

  /** Stops everything that the adapter started. */
  async end(): Promise<void> {
    await stop?.()
  },
}

process.on('exit', () => stop?.())

export type AdapterServerApi = typeof api
serveApi(api)
