import { type Frame, SocketLink } from './socket.ts'

interface Waiting {
  resolve(answer: Frame): void
  reject(error: Error): void
}

/** A WebSocket link that also sends frames and receives their answers. */
export class FrameSocket extends SocketLink {
  #ref = 0
  /** Frames that have no answer yet. */
  readonly #waiting = new Map<number, Waiting>()
  /** Channels with a replay in progress: their messages do not move the position. */
  readonly #joining = new Set<string>()

  protected override answers(frame: Frame): boolean {
    const { type, ref, cursor, channel, code, message, reason } = frame
    const waiting = this.#waiting.get(ref!)
    if (!waiting || type === 'gap') {
      if (!this.#joining.has(channel)) return false
      if (!type) this.message(frame, true)
      else if (type === 'gap') this.listener.gap(this, reason, cursor, channel)
      else if (type === 'end') this.end(frame, true)
      return true
    }
    this.#waiting.delete(ref!)
    if (type === 'error') {
      // These conditions are temporary.
      const final = !/_(KEYS_FULL|UNAVAILABLE|CLOSED|READERS|FRAMES|PUBLISHES|INTERNAL)$/.test(`${code}`)
      waiting.reject(Object.assign(new Error(message), { code, final }))
    } else waiting.resolve(frame)
    if (type === 'subscribed') {
      this.#joining.delete(channel)
      this.listener.place(this, cursor)
    }
    if (this.closed && !this.#waiting.size) super.drop()
    return true
  }

  /** @param members JSON members of a frame @returns its answer */
  request(members: string): Promise<Frame> {
    const ref = ++this.#ref
    return new Promise((resolve, reject) => {
      this.#waiting.set(ref, { resolve, reject })
      this.send(`{"ref":${ref},${members}}`)
    })
  }

  /** Adds a channel. Resolves when its replay is complete. */
  async join(channel: string, cursor: string | undefined): Promise<void> {
    this.#joining.add(channel)
    try {
      await this.request(`"type":"subscribe",${JSON.stringify({ channel, cursor }).slice(1, -1)}`)
    } finally {
      this.#joining.delete(channel)
    }
  }

  protected override drop(): void {
    for (const { reject } of this.#waiting.values())
      reject(new Error('no response: the publish may have succeeded'))
    this.#waiting.clear()
    super.drop()
  }

  /** Waits for the answers to sent publishes. */
  override close(failed?: boolean): void {
    if (failed || !this.#waiting.size) super.close(failed)
    else {
      this.leave()
      setTimeout(() => this.drop(), this.settings.probe)
    }
  }
}
