import { type Envelope, Link } from './link.ts'
import { frameOf } from './publish.ts'
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
  resolve(answer: { cursor: string }): void
  reject(error: Error): void
}

export class SocketLink extends Link {
  #ws: SocketLike | undefined
  #ref = 0
  /** Publishes that have no answer yet. */
  readonly #waiting = new Map<number | undefined, Waiting>()

  run(): void {
    const { WebSocket } = this.settings
    const ws = new WebSocket!(this.url('ws', this.cursor).replace(/^http/, 'ws'), ['tidings'])
    this.#ws = ws
    ws.onmessage = ({ data }: { data: string }) => {
      try {
        this.#hear(JSON.parse(data))
      } catch (error) {
        this.fail({ message: `${error}` })
      }
    }
    ws.onclose = ({ code, reason }: { code: number; reason: string }) => {
      this.#drop()
      this.fail({ message: reason || `the socket closed with ${code}`, code, final: FINAL.includes(code) })
    }
    ws.onerror = () => {}
  }

  #hear(frame: Frame): void {
    const { type, ref, cursor, code, message } = frame
    if (type === 'published') this.#settle(ref)?.resolve({ cursor })
    else if (type === 'error') {
      // What is full for now has room later.
      const final = code !== 'TIDINGS_ERR_KEYS_FULL'
      this.#settle(ref)?.reject(Object.assign(new Error(message), { code, final }))
    } else this.take(type, frame)
    if (this.since) this.after(this.settings.silence / 2, () => this.#ping(this.settings.silence / 2))
  }

  /** Browsers can't send a protocol ping. */
  #ping(within: number): void {
    this.#ws!.send('{"type":"ping"}')
    this.within(within)
  }

  override check(): void {
    if (this.since) this.#ping(this.settings.probe)
  }

  override get bufferedAmount(): number {
    return this.#ws?.bufferedAmount ?? 0
  }

  override publish(
    channel: string,
    data: unknown,
    key: string | undefined,
  ): Promise<{ cursor: string }> | undefined {
    const ref = ++this.#ref
    const frame = this.since ? frameOf(ref, channel, data, key) : undefined
    if (frame === undefined) return undefined
    return new Promise((resolve, reject) => {
      this.#waiting.set(ref, { resolve, reject })
      this.#ws!.send(frame)
    })
  }

  #settle(ref: number | undefined): Waiting | undefined {
    const waiting = this.#waiting.get(ref)
    this.#waiting.delete(ref)
    if (this.closed && !this.#waiting.size) this.#ws!.close()
    return waiting
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
