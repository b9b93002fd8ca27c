import { type Envelope, Link, NOT_OURS } from './link.ts'
import type { GapReason, SocketLike } from './types.ts'

/** Close codes after which the same would be refused again. 1006 and 4008 lose nothing: the cursor is the place. */
const FINAL = [1003, 1007, 1008, 1009]

interface Frame extends Envelope {
  readonly type?: string
  readonly reason: GapReason
  readonly ref?: number
  readonly code?: string
  readonly message?: string
}

interface Waiting {
  resolve(answer: Frame): void
  reject(error: Error): void
}

export class SocketLink extends Link {
  #ws: SocketLike | undefined
  #ref = 0
  /** Frames that have no answer yet. */
  readonly #waiting = new Map<number, Waiting>()
  /** Channels whose replay goes on: their messages move no place. */
  readonly #joining = new Set<string>()
  /** The last refusal that was no answer to a frame of ours. */
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
        else this.fail({ ...NOT_OURS, message: String(error) })
      }
      // Whatever has come: it lives.
      if (this.since) this.after(this.#half(), () => this.#ping(this.#half()))
      if (frame) this.#hear(frame)
    }
    // What is no socket of a browser's, as that of a tab that shares another's, knows by itself what is final.
    ws.onclose = ({ code, reason, final }: { code: number; reason: string; final?: boolean }) => {
      this.#drop()
      const said = this.#refusal
      this.fail({
        message: said?.message || reason || `the socket closed with ${code}`,
        code: said?.code || code,
        final: final ?? (!!this.since && FINAL.includes(code) && (!said || /FORBIDDEN/.test(`${said.code}`))),
        refused: !this.since,
        ...(said && { after: 0 }),
      })
    }
    // A policy of the page's may refuse it, and then nothing else comes in some browsers.
    ws.onerror = () => {
      if (!this.since)
        this.after(100, () => this.fail({ message: 'the socket could not be opened', refused: true }))
    }
  }

  #half(): number {
    return (this.settings.silence * this.hearer.patience) / 2
  }

  #hear(frame: Frame): void {
    const { type, ref, cursor, channel, code, message, reason } = frame
    const waiting = this.#waiting.get(ref!)
    if (waiting && type !== 'gap') {
      this.#waiting.delete(ref!)
      if (type === 'error') {
        // What is full for now, or away, has room later.
        const final = !/_(KEYS_FULL|UNAVAILABLE|CLOSED|READERS|FRAMES|PUBLISHES|INTERNAL)$/.test(`${code}`)
        waiting.reject(Object.assign(new Error(message), { code, final }))
      } else waiting.resolve(frame)
      if (type === 'subscribed') {
        this.#joining.delete(channel)
        this.hearer.place(this, cursor)
      }
      if (this.closed && !this.#waiting.size) this.#ws!.close()
    } else if (type === 'error') this.#refusal = frame
    else if (type === 'pong') {
      this.hearer.place(this, cursor)
      if (!this.closed) this.hearer.settled(this)
    } else if (this.#joining.has(channel)) {
      if (!type) this.message(frame, true)
      else if (type === 'gap') this.hearer.gap(this, reason, cursor, channel)
    } else {
      this.take(type, frame)
      // What does not answer now is deaf, though it has said that it is ready.
      // The answer may stand behind a large message, though: after a silence it is waited for longer.
      if (type === 'ready' && !this.closed)
        this.#ping(this.hearer.patience > 1 ? this.#half() : this.settings.probe)
    }
  }

  /** Browsers can't send a protocol ping. */
  #ping(within: number): void {
    const ws = this.#ws!
    const { bufferedAmount } = ws
    ws.send('{"type":"ping"}')
    this.after(within, () => {
      // A slow line still takes what was written before.
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

  /** @param members of a frame, as JSON @returns its answer */
  request(members: string): Promise<Frame> {
    const ref = ++this.#ref
    return new Promise((resolve, reject) => {
      this.#waiting.set(ref, { resolve, reject })
      this.#ws!.send(`{"ref":${ref},${members}}`)
    })
  }

  /** Reads a channel, too. Resolves when its replay has been told. */
  async join(channel: string, cursor: string | undefined): Promise<void> {
    this.#joining.add(channel)
    try {
      await this.request(`"type":"subscribe",${JSON.stringify({ channel, cursor }).slice(1, -1)}`)
    } finally {
      this.#joining.delete(channel)
    }
  }

  #drop(): void {
    for (const { reject } of this.#waiting.values())
      reject(new Error('no answer came: it may be published, or not'))
    this.#waiting.clear()
    this.#ws?.close()
  }

  /** Answers to what was published are waited for. */
  override close(failed?: boolean): void {
    super.close()
    if (failed || !this.#waiting.size) this.#drop()
    else setTimeout(() => this.#drop(), this.settings.probe)
  }
}
