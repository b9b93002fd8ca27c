import type { Test } from 'tap'
import { type ServerOptions, serve, urlOf } from '../../demo/server.ts'
import { type Frame, openSocket, type SocketClient } from '../helper.ts'

let count = 0

/** A lane's id, of its own. */
export function laneId(): string {
  return `lane${String(++count).padStart(12, '0')}`
}

/** The app with its demo, which closes with the test. */
export async function start(t: Test, options: ServerOptions = {}) {
  const app = await serve({ port: 0, logLevel: 'silent', ...options })
  t.teardown(() => app.close())
  const url = urlOf(app).slice(0, -1)
  return { app, url, port: Number(new URL(url).port) }
}

/** What a page sees: all that is told of its lanes, to be waited for. */
export class Tap {
  readonly client: SocketClient
  readonly pieces: Frame[] = []
  readonly #seen = new Set<Frame>()
  totals: Frame = {}
  left = 0

  constructor(client: SocketClient) {
    this.client = client
  }

  send(control: object): void {
    this.client.send(control)
  }

  async #next(): Promise<Frame> {
    const frame = await this.client.json()
    if (frame.type === 'pieces') {
      this.pieces.push(...frame.pieces)
      this.totals = frame.totals
      this.left += frame.left
    }
    return frame
  }

  /** The next frame that is no news of the lanes. */
  async answer(): Promise<Frame> {
    for (;;) {
      const frame = await this.#next()
      if (frame.type !== 'pieces') return frame
    }
  }

  /** The first piece not taken yet that is like this. */
  async piece(like: object): Promise<Frame> {
    for (;;) {
      const found = this.pieces.find(
        (piece) =>
          !this.#seen.has(piece) && Object.entries(like).every(([name, value]) => piece[name] === value),
      )
      if (found !== undefined) {
        this.#seen.add(found)
        return { ...found, text: Buffer.from(found.bytes ?? '', 'base64').toString('latin1') }
      }
      await this.#next()
    }
  }

  /** Until a control has been obeyed, or refused. */
  async control(control: object): Promise<Frame> {
    this.send(control)
    return this.answer()
  }
}

export async function openTap(t: Test, url: string, ...lanes: string[]): Promise<Tap> {
  const query = lanes.map((lane) => `lane=${lane}`).join('&')
  const tap = new Tap(await openSocket(t, `${url}/demo/tap?${query}`))
  await tap.answer()
  return tap
}
