import { Agent } from 'node:http'
import fc from 'fast-check'
import t from 'tap'
import { build, live, SocketClient, StreamClient } from './helper.ts'
import { ask } from './request.ts'

/*
 * Random publishes, trims, channel sets, cursors, transports, aborts and switches against the listening server, beside
 * a model of the log: the same messages, and a gap exactly where the model has one.
 */

/** Messages kept in each channel: few, so that much is trimmed. */
const KEEP = 3

/** The log as it ought to be. */
class Model {
  readonly all: { seq: number; channel: string }[] = []
  of = (channels: readonly string[]) => this.all.filter(({ channel }) => channels.includes(channel))
  after = (place: number, channels: readonly string[]) => this.of(channels).filter(({ seq }) => seq > place)
  floorOf = (channel: string) => this.of([channel]).at(-1 - KEEP)?.seq ?? 0
  floor = (channels: readonly string[]) => Math.max(0, ...channels.map(this.floorOf))
}

const { app, url } = await build(t, { retention: { messages: KEEP }, publish: true })
const { log } = app.tidings.bus
const agent = new Agent({ keepAlive: true })
t.teardown(() => agent.destroy())

const seqOf = (cursor: string) => Number(cursor.slice(cursor.indexOf('.') + 1))

/** What a client is to get next: a message's seq, or a gap. */
type Item = number | `${string} ${number}`

function same(what: string, got: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what}: got ${a}, expected ${b}`)
}

/** A stream or a socket: one item after the other. */
interface Stream {
  readonly socket?: SocketClient
  ready(): Promise<string>
  next(): Promise<Item>
  abort(): void
}

async function openStream(query: string): Promise<Stream> {
  const abort = new AbortController()
  const stream = new StreamClient(await fetch(`${url}/sse?${query}`, { signal: abort.signal }), abort)
  return {
    async ready() {
      return (await stream.next()).id!
    },
    async next() {
      const { event, id, data } = await stream.next()
      const parsed = JSON.parse(data!)
      same('the id of an event', id, parsed.cursor)
      return event === 'gap' ? `${parsed.reason} ${seqOf(id!)}` : seqOf(id!)
    },
    abort: () => stream.close(),
  }
}

async function openSocket(query: string): Promise<Stream> {
  const socket = new SocketClient(`${url}/ws?${query}`)
  await socket.opened
  return {
    socket,
    ready: async () => (await socket.json()).cursor,
    async next() {
      const { type, reason, cursor } = await socket.json()
      return type === 'gap' ? `${reason} ${seqOf(cursor)}` : seqOf(cursor)
    },
    abort: () => socket.ws.terminate(),
  }
}

/** One client: its channels, its place, and the stream that it may hold open. */
class Client {
  readonly #model: Model
  channels: string[]
  place: number
  stream: Stream | undefined
  /** What is on its way on the stream. */
  waiting: Item[] = []

  constructor(model: Model, channels: string[]) {
    this.#model = model
    this.channels = channels
    this.place = log.head
  }

  query(cursor = log.cursor(this.place)): string {
    return `${this.channels.map((name) => `channel=${name}`).join('&')}&cursor=${cursor}`
  }

  /** The gap that the model has for a place. */
  gap(place = this.place): Item | undefined {
    const floor = this.#model.floor(this.channels)
    return floor > place ? `trimmed ${floor}` : undefined
  }

  async poll(path: string, limit: number): Promise<void> {
    this.close()
    const { status, headers, text } = await ask(`${url}/${path}?${this.query()}&limit=${limit}`, { agent })
    this.answered(status, String(headers['tidings-gap']), String(headers['tidings-cursor']), text, limit)
  }

  answered(status: number, reason: string, cursor: string, text: string, limit: number, later = false): void {
    const gap = this.gap()
    if (status === 410) {
      same('gap', `${reason} ${seqOf(cursor)}`, gap)
      this.place = seqOf(cursor)
      return
    }
    // One that was held has got what a burst held when its own oldest message was about to go.
    if (!later) same('gap', undefined, gap)
    const expected = this.#model.after(this.place, this.channels)
    if (status !== 200) {
      same('nothing', [status, expected], [204, []])
      this.place = seqOf(cursor)
      same('the cursor of nothing', this.place, log.head)
      return
    }
    const page = JSON.parse(text)
    const end = seqOf(page.cursor)
    same(
      'messages',
      page.messages.map((message: { cursor: string }) => seqOf(message.cursor)),
      expected
        .filter(({ seq }) => !later || seq <= end)
        .slice(0, limit)
        .map(({ seq }) => seq),
    )
    if (!later) {
      same('more', page.more, expected.length > limit)
      same('cursor', end, page.more ? seqOf(page.messages.at(-1).cursor) : log.head)
    }
    this.place = end
  }

  async open(how: typeof openStream): Promise<void> {
    this.close()
    const stream = await how(this.query())
    this.stream = stream
    this.expect(this.gap(), this.place)
    same('ready', seqOf(await stream.ready()), this.place)
  }

  /** From here on it gets this gap, and what stands behind it. */
  expect(gap: Item | undefined, place: number): void {
    if (gap !== undefined) this.waiting.push(gap)
    const from = gap === undefined ? place : Number(String(gap).split(' ')[1])
    this.waiting.push(...this.#model.after(from, this.channels).map(({ seq }) => seq))
  }

  async read(count: number): Promise<void> {
    for (const item of this.waiting.splice(0, count)) {
      same('next', await this.stream!.next(), item)
      this.place = typeof item === 'number' ? item : Number(item.split(' ')[1])
    }
  }

  /** With what was not read: the cursor is the acknowledgement. */
  close(): void {
    this.stream?.abort()
    this.stream = undefined
    this.waiting = []
  }

  /** On a socket whose frames are all read; from a place of the client's own, or `now`, or `earliest`. */
  async subscribe(channel: string, from: 'place' | 'now' | 'earliest' | 'zero'): Promise<void> {
    const { socket } = this.stream!
    const place = from === 'zero' ? 0 : this.place
    const named = from === 'now' || from === 'earliest'
    socket!.send({ type: 'subscribe', channel, cursor: named ? from : log.cursor(place), ref: 7 })
    const floor = this.#model.floorOf(channel)
    const start = from === 'now' ? log.head : Math.max(floor, named ? 0 : place)
    if (!named && floor > place) {
      const gap = { type: 'gap', reason: 'trimmed', cursor: log.cursor(floor), channel, ref: 7 }
      same('gap of a subscribe', await socket!.json(), gap)
    }
    for (const { seq } of this.#model.after(start, [channel])) {
      same('replay', seqOf((await socket!.json()).cursor), seq)
    }
    const subscribed = { type: 'subscribed', ref: 7, channel, cursor: log.cursor(log.head) }
    same('subscribed', await socket!.json(), subscribed)
    this.channels = [...this.channels, channel]
    this.place = log.head
  }

  async unsubscribe(channel: string): Promise<void> {
    const { socket } = this.stream!
    socket!.send({ type: 'unsubscribe', channel })
    same('unsubscribed', await socket!.json(), { type: 'unsubscribed', channel })
    this.channels = this.channels.filter((name) => name !== channel)
  }
}

/** One run: its own channels in the one log, a model of them, and three clients. */
class Run {
  static #count = 0
  readonly model = new Model()
  readonly clients: Client[] = []
  readonly names: readonly string[]

  constructor(sets: readonly (readonly number[])[]) {
    const run = Run.#count++
    this.names = ['a', 'b', 'c', 'd'].map((name) => `${name}${run}`)
    for (const set of sets)
      this.clients.push(
        new Client(
          this.model,
          set.map((i) => this.names[i]!),
        ),
      )
  }

  accepted(channel: string, cursor: string): void {
    const seq = seqOf(cursor)
    this.model.all.push({ seq, channel })
    for (const { stream, channels, waiting } of this.clients) {
      if (stream !== undefined && channels.includes(channel)) waiting.push(seq)
    }
  }

  /** All in one turn of the event loop. */
  async burst(channels: readonly number[]): Promise<void> {
    const names = channels.map((i) => this.names[i]!)
    const messages = await Promise.all(names.map((name) => app.tidings.publish(name, 'x')))
    for (const { channel, cursor } of messages) this.accepted(channel, cursor)
  }

  async post(i: number): Promise<void> {
    const channel = this.names[i]!
    const { json } = await ask(`${url}/publish?channel=${channel}`, { method: 'POST', body: 'x', agent })
    this.accepted(channel, json.cursor)
  }

  /** A long poll that finds nothing, and gets what comes, or is aborted. */
  async hold(client: Client, channels: readonly number[] | undefined): Promise<void> {
    if (client.gap() !== undefined || this.model.after(client.place, client.channels).length > 0) {
      await client.poll('longpoll', 100)
      return
    }
    client.close()
    await this.settled()
    const before = log.groups.watching
    const abort = new AbortController()
    const answer = ask(`${url}/longpoll?${client.query()}`, { signal: abort.signal }).catch(() => undefined)
    await live(app, before + 1)
    if (channels === undefined) {
      abort.abort()
      same('an aborted poll', await answer, undefined)
      await live(app, before)
      return
    }
    await this.burst(channels)
    await app.tidings
      .publish(client.channels[0]!, 'x')
      .then((message) => this.accepted(message.channel, message.cursor))
    const { status, headers, text } = (await answer)!
    client.answered(status, '', String(headers['tidings-cursor']), text, 100, true)
  }

  /** Streams that were aborted are gone. */
  settled(): Promise<void> {
    return live(app, this.clients.filter(({ stream }) => stream !== undefined).length)
  }

  /** All that is on its way comes, and then nothing is left: by polls, whatever the transport was. */
  async end(): Promise<void> {
    for (const client of this.clients) {
      await client.read(Infinity)
      client.close()
      for (let left = true; left; ) {
        left = client.gap() !== undefined || this.model.after(client.place, client.channels).length > 0
        await client.poll('poll', 2)
      }
    }
    await this.settled()
  }
}

const channel = fc.nat(3)
const who = fc.nat(2)
const set = fc.uniqueArray(channel, { minLength: 1, maxLength: 4 })
const few = fc.array(channel, { minLength: 1, maxLength: 8 })

type Step = (run: Run) => Promise<void>

/** A step that prints as what it does. */
function step(name: string, args: object, run: Step): Step {
  return Object.assign(run, { [fc.toStringMethod]: () => `${name} ${JSON.stringify(args)}` })
}

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: few.map((channels) => step('burst', { channels }, (run) => run.burst(channels))) },
  { weight: 2, arbitrary: channel.map((i) => step('post', { i }, (run) => run.post(i))) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(who, fc.constantFrom('poll', 'longpoll' as const), fc.integer({ min: 1, max: 4 }))
      .map(([i, path, limit]) =>
        step(path, { i, limit }, async (run) => {
          const client = run.clients[i]!
          const idle =
            client.gap() === undefined && run.model.after(client.place, client.channels).length === 0
          await client.poll(idle ? 'poll' : path, limit)
        }),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(who, fc.option(few, { nil: undefined }))
      .map(([i, channels]) => step('hold', { i, channels }, (run) => run.hold(run.clients[i]!, channels))),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(who, fc.constantFrom(openStream, openSocket))
      .map(([i, how]) => step(how.name, { i }, (run) => run.clients[i]!.open(how))),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(who, fc.integer({ min: 1, max: 6 }))
      .map(([i, count]) => step('read', { i, count }, (run) => run.clients[i]!.read(count))),
  },
  { weight: 2, arbitrary: who.map((i) => step('close', { i }, async (run) => run.clients[i]!.close())) },
  {
    weight: 1,
    arbitrary: fc.tuple(who, set).map(([i, channels]) =>
      step('other channels', { i, channels }, async (run) => {
        const client = run.clients[i]!
        client.close()
        client.channels = channels.map((c) => run.names[c]!)
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(who, fc.nat(5)).map(([i, back]) =>
      step('an earlier cursor', { i, back }, async (run) => {
        const client = run.clients[i]!
        client.close()
        client.place = run.model.all.at(-1 - back)?.seq ?? client.place
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(who, channel, fc.constantFrom('place', 'now', 'earliest', 'zero' as const))
      .map(([i, c, from]) =>
        step('subscribe', { i, c, from }, async (run) => {
          const client = run.clients[i]!
          if (client.stream?.socket === undefined) await client.open(openSocket)
          await client.read(Infinity)
          const name = run.names[c]!
          if (!client.channels.includes(name)) await client.subscribe(name, from)
          else if (client.channels.length > 1) await client.unsubscribe(name)
        }),
      ),
  },
)

t.test('clients get what the model has', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(set, set, set),
      fc.array(steps, { minLength: 5, maxLength: 40, size: 'max' }),
      async (sets, todo) => {
        const run = new Run(sets)
        try {
          for (const each of todo) await each(run)
          await run.end()
        } finally {
          for (const client of run.clients) client.close()
          await run.settled()
        }
      },
    ),
    { numRuns: 120, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false },
  )
  t.equal(log.groups.watching, 0)
  t.ok(log.head > 500)
})
