import type { Socket } from 'node:net'
import type { Tidings } from 'fastify-tidings'
import { Lanes } from './lanes.ts'

/** A page that watches its lanes. */
export interface WatchingPage {
  /** The simulated subscribers of this page. */
  readonly crowd: number
  /** Called after the log was restarted. */
  restarted(): void
  close(): void
  /** Closes the connection without waiting for the answer. */
  terminate(): void
}

/** The state of an app's demo. */
export class DemoState {
  readonly tidings: Tidings
  readonly lanes = new Lanes()
  readonly watches = new Set<WatchingPage>()
  /** All connections to the app except those of watchers. */
  readonly #sockets = new Set<Socket>()
  readonly #restart: (() => void) | undefined

  /** @param restart restarts the log; undefined if the log does not belong to the demo */
  constructor(tidings: Tidings, restart: (() => void) | undefined) {
    this.tidings = tidings
    this.#restart = restart
  }

  connected(socket: Socket): void {
    // The server emits the event again when it takes back a connection that it gave away.
    if (this.#sockets.has(socket)) return
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  /** Excludes a watcher's connection: it survives a restart. */
  spare(socket: Socket): void {
    this.#sockets.delete(socket)
  }

  /**
   * Restarts the log and drops all connections, as if the process had been killed.
   * @throws if the log does not belong to the demo
   */
  restart(): void {
    if (this.#restart === undefined) throw new Error('this log cannot be restarted')
    this.#restart()
    for (const socket of this.#sockets) socket.destroy()
    for (const watch of this.watches) watch.restarted()
  }

  close(): void {
    for (const watch of this.watches) watch.terminate()
    this.lanes.close()
  }
}
