import { type Envelope, FOREIGN_ANSWER, Link } from './link.ts'
import type { GapReason, SocketLike } from './types.ts'

/** Close codes after which a retry would fail again. 1006 and 4008 lose no messages: the feed resumes at its cursor. */
const FINAL = [1003, 1007, 1008, 1009]

export interface Frame extends Envelope {
  readonly type?: string
  readonly reason: GapReason
  readonly ref?: number
  readonly code?: string
  readonly message?: string
}

export class SocketLink extends Link {
  #ws: SocketLike | undefined
  /** The last error frame that is no reply to a frame of this client. */
  #refusal: Frame | undefined

  run(): void {
    const { WebSocket } = this.settings
    const url = this.url('ws', ...Object.entries(this.auth.query ?? {}))
    const ws = new WebSocket!(url.replace(/^http/, 'ws'), ['tidings'])
    this.#ws = ws
    ws.onmessage = ({ data }: { data: string }) => {
      let frame: Frame | undefined
      try {
        frame = Object(JSON.parse(data))
      } catch (error) {
        if (this.since) this.skip(error)
        else this.fail({ ...FOREIGN_ANSWER, message: String(error) })
      }
      // Any frame proves that the connection is alive.
      if (this.since) this.after(this.#half(), () => this.#ping(this.#half()))
      if (frame) this.#receive(frame)
    }
    // The socket of a shared connection sets `final` itself; a browser's socket does not.
    ws.onclose = ({ code, reason, final }: { code: number; reason: string; final?: boolean }) => {
      this.drop()
      const said = this.#refusal
      this.fail({
        message: said?.message || reason || `the socket closed with ${code}`,
        code: said?.code || code,
        final: final ?? (!!this.since && FINAL.includes(code) && (!said || /FORBIDDEN/.test(`${said.code}`))),
        refused: !this.since,
        ...(said && { after: 0 }),
      })
    }
    // If the page's policy refuses the connection, some browsers fire no other event.
    ws.onerror = () => {
      if (!this.since)
        this.after(100, () => this.fail({ message: 'the socket could not be opened', refused: true }))
    }
  }

  #half(): number {
    return (this.settings.silence * this.listener.slack) / 2
  }

  #receive(frame: Frame): void {
    const { type, cursor } = frame
    if (this.answers(frame)) return
    if (type === 'error') this.#refusal = frame
    else if (type === 'pong') {
      this.listener.place(this, cursor)
      if (!this.closed) this.listener.caughtUp(this)
    } else {
      this.take(type, frame)
      // A socket that is ready may still not deliver, so it must answer a ping.
      // The pong may follow a large message: after a timeout, wait longer.
      if (type === 'ready' && !this.closed)
        this.#ping(this.listener.slack > 1 ? this.#half() : this.settings.probe)
    }
  }

  /** Browsers cannot send a ping frame of RFC 6455 section 5.5.2. */
  #ping(within: number): void {
    const ws = this.#ws!
    const { bufferedAmount } = ws
    this.send('{"type":"ping"}')
    this.after(within, () => {
      // A slow connection is alive while its send buffer shrinks.
      if (ws.bufferedAmount < bufferedAmount) this.#ping(within)
      else this.silent(within)
    })
  }

  override check(): boolean {
    if (this.since) this.#ping(this.settings.probe)
    return !!this.since
  }

  override get bufferedAmount(): number {
    return this.#ws?.bufferedAmount ?? 0
  }

  protected send(text: string): void {
    this.#ws!.send(text)
  }

  /** Whether a frame answers, or belongs to, a frame of this client. */
  protected answers(_frame: Frame): boolean {
    return false
  }

  protected drop(): void {
    this.#ws?.close()
  }

  /** Stops receiving. Sent frames may still be answered. */
  protected leave(): void {
    super.close()
  }

  override close(_failed?: boolean): void {
    this.leave()
    this.drop()
  }
}
