import type { Agent } from 'node:http'
import type { Log } from '../../bus/log.ts'
import type { Built } from '../helper.ts'
import { ask } from '../request.ts'
import { type Bounds, type Item, type Model, NO_BOUNDS } from './model.ts'
import { type openStream, type Stream, same, seqOf, type Told } from './streams.ts'

/** Where all clients of a run ask. */
export interface Server {
  readonly url: string
  readonly log: Log
  readonly agent: Agent
}

export function serverOf({ app, url }: Built, agent: Agent): Server {
  return { url, log: app.tidings.bus.log, agent }
}

/** One client: its channels, its place, and the stream that it may hold open. */
export class Client {
  readonly #server: Server
  readonly #model: Model
  channels: string[]
  /** The cursor that it goes on from, and its place. */
  #cursor: string
  #place: number
  /** What it has chosen not to have. */
  #bounds: Bounds = NO_BOUNDS
  #stream: Stream | undefined
  /** What is on its way on the stream. */
  #waiting: Told[] = []
  /** Whether its stream ends with what is on its way. */
  #over = false

  constructor(server: Server, model: Model, channels: string[]) {
    this.#server = server
    this.#model = model
    this.channels = channels
    this.#cursor = server.log.cursor(server.log.head)
    this.#place = server.log.head
  }

  get stream(): Stream | undefined {
    return this.#stream
  }

  /** Whether the server holds a stream of its. */
  get held(): boolean {
    return this.#stream !== undefined && !this.#over
  }

  query(): string {
    return `${this.channels.map((name) => `channel=${name}`).join('&')}&cursor=${this.#cursor}`
  }

  /** The head, as a place of its own. */
  #move(cursor: string): void {
    this.#cursor = cursor
    this.#place = seqOf(cursor)
  }

  /** Goes on elsewhere. @param cursor of another channel set, or earlier */
  go(channels: string[], place = this.#place): void {
    this.close()
    this.channels = channels
    this.#move(this.#server.log.cursor(place))
    this.#bounds = NO_BOUNDS
  }

  /** Goes on with what this takes. */
  choose(start: string): void {
    this.close()
    const { place, bounds } = this.#model.choose(start, this.channels, this.#server.log.head)
    this.#cursor = start
    this.#place = place
    this.#bounds = bounds
  }

  /** What it is to get of what is there. */
  get next(): Item[] {
    return this.#model.after(this.#place, this.channels, this.#bounds)
  }

  /** Whether a poll would be held. */
  get idle(): boolean {
    return this.gap === undefined && this.next.length === 0 && !this.allEnded(this.#place)
  }

  get gap(): number | undefined {
    return this.#model.gap(this.#place, this.channels, this.#bounds)
  }

  allEnded(place: number): boolean {
    return this.#model.ended(this.channels, place).length === this.channels.length
  }

  async poll(path: string, limit: number): Promise<void> {
    this.close()
    const { url, agent } = this.#server
    const answer = await ask(`${url}/${path}?${this.query()}&limit=${limit}`, { agent })
    this.answered(answer.status, String(answer.headers['tidings-cursor']), answer.text, limit)
  }

  answered(status: number, cursor: string, text: string, limit: number, later = false): void {
    const { head } = this.#server.log
    const { gap } = this
    if (status === 410) {
      same('gap', [JSON.parse(text).reason, seqOf(cursor)], ['trimmed', gap])
      this.#move(cursor)
      this.#bounds = NO_BOUNDS
      return
    }
    // One that was held has got what a burst held when its own oldest message was about to go.
    if (!later) same('gap', undefined, gap)
    const expected = this.next
    if (status !== 200) {
      same('nothing', [status, expected, this.allEnded(this.#place)], [204, [], false])
      this.#move(cursor)
      same('the cursor of nothing', this.#place, head)
      return
    }
    const page = JSON.parse(text)
    const end = seqOf(page.cursor)
    same(
      'messages',
      page.messages.map((message: { cursor: string; end?: true }) => [seqOf(message.cursor), !!message.end]),
      expected
        .filter(({ seq }) => !later || seq <= end)
        .slice(0, limit)
        .filter(({ data }) => data)
        .map(({ seq, end }) => [seq, end]),
    )
    const ended = this.#model.ended(this.channels, end)
    same('ended', page.ended ?? [], ended)
    if (!later) {
      same('more', page.more, expected.length > limit)
      same('cursor', end, page.more ? expected[limit - 1]!.seq : head)
    }
    this.#move(page.cursor)
  }

  async open(how: typeof openStream): Promise<void> {
    this.close()
    const stream = await how(this.#server.url, this.query())
    this.#stream = stream
    const { gap } = this
    if (gap !== undefined) this.#waiting.push(`trimmed ${gap}`)
    const from = gap ?? this.#place
    for (const channel of this.#model.ended(this.channels, from)) this.#waiting.push(`end ${channel} ${from}`)
    const bounds = gap === undefined ? this.#bounds : NO_BOUNDS
    for (const item of this.#model.after(from, this.channels, bounds)) this.#waiting.push(toldOf(item))
    this.#finish()
    const cursor = await stream.ready()
    same('ready', seqOf(cursor), this.#place)
    this.#cursor = cursor
  }

  /** A stream ends with the last of its channels; a socket stays. */
  #finish(): void {
    if (this.#stream?.socket !== undefined || !this.allEnded(this.#server.log.head)) return
    this.#waiting.push('over')
    this.#over = true
  }

  /** Something was published. */
  published(item: Item): void {
    if (this.#stream === undefined || this.#over || !this.channels.includes(item.channel)) return
    this.#waiting.push(toldOf(item))
    if (item.end) this.#finish()
  }

  async read(count: number): Promise<void> {
    const stream = this.#stream
    for (const expected of this.#waiting.splice(0, count)) {
      const { told, cursor } = await stream!.next()
      same('next', told, expected)
      if (told === 'over') this.close()
      else this.#move(cursor)
      if (String(told).startsWith('trimmed')) this.#bounds = NO_BOUNDS
    }
  }

  /** With what was not read: the cursor is the acknowledgement. */
  close(): void {
    this.#stream?.abort()
    this.#stream = undefined
    this.#waiting = []
    this.#over = false
  }

  /** On a socket whose frames are all read; from a place of the client's own, or as a word says. */
  async subscribe(channel: string, from: string): Promise<void> {
    const { log } = this.#server
    const model = this.#model
    const { socket } = this.#stream!
    const own = from === 'place' || from === 'zero'
    const asked = from === 'zero' ? 0 : this.#place
    socket!.send({ type: 'subscribe', channel, cursor: own ? log.cursor(asked) : from, ref: 7 })
    const gap = own ? model.gap(asked, [channel]) : undefined
    if (gap !== undefined) {
      same('gap of a subscribe', await socket!.json(), {
        type: 'gap',
        reason: 'trimmed',
        cursor: log.cursor(gap),
        channel,
        ref: 7,
      })
    }
    const { place, bounds } = own
      ? { place: gap ?? asked, bounds: NO_BOUNDS }
      : from === 'now'
        ? { place: log.head, bounds: NO_BOUNDS }
        : from === 'earliest'
          ? { place: model.floorOf(channel), bounds: NO_BOUNDS }
          : model.choose(from, [channel], log.head)
    const end = model.endOf(channel)
    const told: Told[] = model.after(place, [channel], bounds).map(toldOf)
    if (end !== undefined && end.seq <= place) told.unshift(toldOf(end))
    for (const each of told) {
      const { type, cursor } = await socket!.json()
      same('replay', type === 'end' ? `end ${channel} ${seqOf(cursor)}` : seqOf(cursor), each)
    }
    const subscribed = { type: 'subscribed', ref: 7, channel, cursor: log.cursor(log.head) }
    same('subscribed', await socket!.json(), subscribed)
    this.channels = [...this.channels, channel]
    this.#move(subscribed.cursor)
  }

  async unsubscribe(channel: string): Promise<void> {
    const { socket } = this.#stream!
    socket!.send({ type: 'unsubscribe', channel })
    same('unsubscribed', await socket!.json(), { type: 'unsubscribed', channel })
    this.channels = this.channels.filter((name) => name !== channel)
  }
}

function toldOf({ seq, channel, end }: Item): Told {
  return end ? `end ${channel} ${seq}` : seq
}
