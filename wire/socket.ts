import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { Batch, Form } from '../bus/batch.ts'
import type { Start } from '../bus/cursor.ts'
import { frames, rawFrames, textFrame } from '../bus/forms.ts'
import type { Gap, Log } from '../bus/log.ts'
import { Reader, type Sink } from '../bus/reader.ts'
import type { Ask } from './ask.ts'
import { Peer, type User } from './peer.ts'
import type { Service } from './service.ts'

/**
 * What goes out on a WebSocket. Frames are made once for all readers and go to the socket itself; only pings and the
 * close go through ws, so that nothing can overtake anything.
 */
export class SocketStream implements Sink, User {
  readonly #service: Service
  readonly #peer: Peer
  readonly #reader: Reader
  readonly #log: Log
  readonly #form: Form
  readonly #raw: boolean
  /** The ref of the subscribe frame whose channel is being replayed. */
  #ref: string | undefined
  /** What takes back the permits of subscribe frames. */
  #permits: Map<string, () => void> | undefined

  constructor(service: Service, request: FastifyRequest, ws: WebSocket, ask: Ask) {
    this.#service = service
    this.#log = service.bus.log
    this.#raw = ask.raw
    this.#form = ask.raw ? rawFrames : frames
    this.#peer = new Peer(service, request, ws, this)
    const start = ask.start ?? 'now'
    this.#reader = new Reader(this.#log, ask.channels, start, this)
    // The place asked for, also at a hole: the gap follows with its own.
    const place = typeof start === 'string' ? this.cursor : `${start.epoch}.${start.seq}`
    if (!ask.raw) this.#send(`{"type":"ready","cursor":"${place}"}`)
  }

  /** Begins to read. */
  start(): void {
    this.#reader.resume()
  }

  /** The socket's place: all of its channels before it has been sent. */
  get cursor(): string {
    return this.#log.cursor(this.#reader.place)
  }

  get channels(): readonly string[] {
    return this.#reader.channels
  }

  get full(): boolean {
    return this.#peer.full
  }

  batch(batch: Batch): void {
    this.#service.meter?.delivered('ws', batch.entries.length)
    this.#peer.write(batch.as(this.#form))
  }

  gap({ reason, seq }: Gap, channel?: string): void {
    const cursor = this.#log.cursor(seq)
    if (this.#raw) {
      // It can't tell of a hole, nor go on from one.
      this.close(4010, cursor)
      return
    }
    const more = channel === undefined ? '' : `,"channel":"${channel}"${this.#refOf(this.#ref)}`
    this.#send(`{"type":"gap","reason":"${reason}","cursor":"${cursor}"${more}}`)
  }

  #send(text: string): void {
    this.#peer.write(textFrame(text))
  }

  /** Answers a client's frame. @param ref its text, as it was sent */
  answer(type: string, ref: string | undefined, members: string): void {
    this.#send(`{"type":"${type}"${this.#refOf(ref)}${members}}`)
  }

  #refOf(ref: string | undefined): string {
    return ref === undefined ? '' : `,"ref":${ref}`
  }

  /** Reads this channel, too. Resolves when its replay has been sent, or the socket has ended. */
  subscribe(channel: string, start: Start, ref: string | undefined): Promise<void> {
    this.#ref = ref
    return new Promise((resolve) => {
      this.#reader.add(channel, start, () => {
        this.answer('subscribed', ref, `,"channel":"${channel}","cursor":"${this.cursor}"`)
        resolve()
      })
    })
  }

  unsubscribe(channel: string, ref: string | undefined): void {
    this.#reader.remove(channel)
    this.#permits?.get(channel)?.()
    this.#permits?.delete(channel)
    this.answer('unsubscribed', ref, `,"channel":"${channel}"`)
  }

  /** The permit of a subscribe frame: it counts until the channel is unsubscribed. */
  permit(channel: string, permit: AbortSignal): void {
    this.#permits ??= new Map()
    this.#permits.set(channel, this.#peer.permit(permit))
  }

  close(code: number, reason: string): void {
    this.#peer.close(code, reason)
  }

  drained(): void {
    this.#reader.resume()
  }

  ended(): void {
    this.#reader.end()
  }
}
