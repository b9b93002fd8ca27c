import type { Socket } from 'node:net'
import type { Tidings } from 'fastify-tidings'
import { Lanes } from './lanes.ts'

/** A page that watches its lanes. */
export interface WatchingPage {
  /** The subscribers that it has asked for. */
  readonly crowd: number
  /** The log has started over. */
  restarted(): void
  close(): void
  /** Ends it without waiting for its answer. */
  terminate(): void
}

/** What the demo of one app keeps. */
export class DemoState {
  readonly tidings: Tidings
  readonly lanes = new Lanes()
  readonly watches = new Set<WatchingPage>()
  /** All connections to the app but those of watchers. */
  readonly #sockets = new Set<Socket>()
  readonly #restart: (() => void) | undefined

  /** @param restart starts the log over; undefined where it is not the demo's own */
  constructor(tidings: Tidings, restart: (() => void) | undefined) {
    this.tidings = tidings
    this.#restart = restart
  }

  connected(socket: Socket): void {
    // The server tells of it again where it takes one back that it has given away.
    if (this.#sockets.has(socket)) return
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  /** A watcher's own connection outlives a restart. */
  spare(socket: Socket): void {
    this.#sockets.delete(socket)
  }

  /**
   * The log starts over, and all connections break off, as if the process had been killed.
   * @throws where the log is not the demo's own
   */
  restart(): void {
    if (this.#restart === undefined) throw new Error('this log can not start over')
    this.#restart()
    for (const socket of this.#sockets) socket.destroy()
    for (const watch of this.watches) watch.restarted()
  }

  close(): void {
    for (const watch of this.watches) watch.terminate()
    this.lanes.close()
  }
}
