import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { Delayed } from './delayed.ts'

export type Direction = 'up' | 'down'

/** The part of a lane that its connections use. */
export interface SocketOwner {
  /** One-way delay in milliseconds. */
  readonly delay: number
  /** Called when bytes leave one end. */
  seen(direction: Direction, bytes: Buffer): void
}

/** Maximum bytes in transit in one direction. Beyond it, the sender waits. */
const MOST = 256 * 1024

/**
 * A connection to the app that adds a delay. A write appears to complete at once, and its bytes arrive after the delay.
 * The same holds for the end of the stream. node:http uses it as a socket.
 */
export class DelayedSocket extends Duplex {
  readonly #socket: Socket
  readonly #owner: SocketOwner
  readonly #up: Delayed<Buffer | null>
  readonly #down: Delayed<Buffer | null>
  readonly #under = { up: 0, down: 0 }
  /** The callback of a writer that waits for room. */
  #writer: (() => void) | undefined

  constructor(socket: Socket, owner: SocketOwner) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    this.#owner = owner
    this.#up = new Delayed((bytes) => this.#arriveUp(bytes))
    this.#down = new Delayed((bytes) => this.#arriveDown(bytes))
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => {
      owner.seen('down', bytes)
      this.#under.down += bytes.length
      if (this.#under.down > MOST) socket.pause()
      this.#down.push(bytes, owner.delay)
    })
    socket.on('end', () => this.#down.push(null, owner.delay))
    socket.on('drain', () => this.#up.resume())
    socket.on('error', (error) => this.destroy(error))
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.#owner.seen('up', bytes)
    this.#under.up += bytes.length
    if (this.#under.up > MOST) this.#writer = done
    else done()
    this.#up.push(bytes, this.#owner.delay)
  }

  override _final(done: () => void): void {
    this.#up.push(null, this.#owner.delay)
    done()
  }

  #arriveUp(bytes: Buffer | null): boolean {
    if (bytes === null) {
      this.#socket.end()
      return true
    }
    this.#under.up -= bytes.length
    const room = this.#socket.writable && this.#socket.write(bytes)
    const writer = this.#writer
    if (this.#under.up <= MOST) {
      this.#writer = undefined
      writer?.()
    }
    return room
  }

  override _read(): void {
    this.#down.resume()
  }

  #arriveDown(bytes: Buffer | null): boolean {
    this.#under.down -= bytes?.length ?? 0
    if (this.#under.down <= MOST) this.#socket.resume()
    return this.push(bytes)
  }

  /** Delivers all data in transit at once. */
  hurry(): void {
    this.#up.hurry()
    this.#down.hurry()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (error === null && this.writableFinished) {
      // Bytes written before a clean end still arrive.
      this.#up.hurry()
      this.#socket.destroySoon()
    } else this.#socket.destroy()
    this.#up.clear()
    this.#down.clear()
    done(error)
  }

  // The methods of a socket that node:http calls.

  setTimeout(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    this.#socket.ref()
    return this
  }

  unref(): this {
    this.#socket.unref()
    return this
  }
}
