import { Agent } from 'node:http'
import fc from 'fast-check'
import t from 'tap'
import { build, live } from './helper.ts'
import { Client, serverOf } from './model/client.ts'
import { type Item, KEEP, Model } from './model/model.ts'
import { openSocket, openStream, same, seqOf } from './model/streams.ts'
import { ask } from './request.ts'

/*
 * Random publishes, ends, reopenings, trims, channel sets, starts, cursors, transports, aborts and switches against the
 * listening server, beside a model of the log: the same messages and ends, and a gap exactly where the model has one.
 */

const built = await build(t, { retention: { messages: KEEP }, publish: true })
const { app, url } = built
const { log } = app.tidings.bus
const agent = new Agent({ keepAlive: true })
t.teardown(() => agent.destroy())

/** One run: its own channels in the one log, a model of them, and three clients. */
class Run {
  static #count = 0
  readonly model = new Model()
  readonly clients: readonly Client[]
  readonly names: readonly string[]

  constructor(sets: readonly (readonly number[])[]) {
    const run = Run.#count++
    this.names = ['a', 'b', 'c', 'd'].map((name) => `${name}${run}`)
    const server = serverOf(built, agent)
    this.clients = sets.map((set) => new Client(server, this.model, this.of(set)))
  }

  of(set: readonly number[]): string[] {
    return set.map((i) => this.names[i]!)
  }

  #accepted(message: { cursor: string; channel: string; time: number }, data = true, end = false): void {
    const { cursor, channel, time } = message
    const item: Item = { seq: seqOf(cursor), channel, time, data, end }
    this.model.add(item)
    for (const client of this.clients) client.published(item)
  }

  /** All in one turn of the event loop. What has ended takes nothing. */
  async burst(channels: readonly number[]): Promise<void> {
    const names = this.of(channels)
    const ended = names.filter((name) => this.model.endOf(name) !== undefined)
    const all = await Promise.allSettled(names.map((name) => app.tidings.publish(name, 'x')))
    const refused = all.filter(({ status }) => status === 'rejected').length
    same('refused', refused, ended.length)
    for (const each of all) if (each.status === 'fulfilled') this.#accepted(each.value)
  }

  async post(i: number, end: '' | '&end', body: string): Promise<void> {
    const channel = this.names[i]!
    const ended = this.model.endOf(channel) !== undefined
    const publish = { method: 'POST', body, agent }
    const { status, json } = await ask(`${url}/publish?channel=${channel}${end}`, publish)
    same('the answer', status, ended ? 409 : 201)
    if (status === 201) this.#accepted(json, body !== '' || end === '', end !== '')
    // Readers are told before the next step: it may reopen the channel.
    log.groups.flush()
  }

  async reopen(i: number): Promise<void> {
    await app.tidings.reopen(this.names[i]!)
    this.model.reopen(this.names[i]!)
  }

  /** A long poll that finds nothing, and gets what comes, or is aborted. */
  async hold(client: Client, channels: readonly number[] | undefined): Promise<void> {
    if (!client.idle) {
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
    const open = client.channels.find((name) => this.model.endOf(name) === undefined)!
    this.#accepted(await app.tidings.publish(open, 'x'))
    const { status, headers, text } = (await answer)!
    client.answered(status, String(headers['tidings-cursor']), text, 100, true)
  }

  /** Streams that were aborted, or are over, are gone. */
  settled(): Promise<void> {
    return live(app, this.clients.filter(({ held }) => held).length)
  }

  /** All that is on its way comes, and then nothing is left: by polls, whatever the transport was. */
  async end(): Promise<void> {
    for (const client of this.clients) {
      await client.read(Infinity)
      client.close()
      for (let left = true; left; ) {
        left = client.gap !== undefined || client.next.length > 0
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
const last = fc.integer({ min: 1, max: KEEP + 1 }).map((n) => `last:${n}`)

type Step = (run: Run) => Promise<void>

/** A step that prints as what it does. */
function step(name: string, args: object, run: Step): Step {
  return Object.assign(run, { [fc.toStringMethod]: () => `${name} ${JSON.stringify(args)}` })
}

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: few.map((channels) => step('burst', { channels }, (run) => run.burst(channels))) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(channel, fc.constantFrom('', '', '&end' as const), fc.constantFrom('', 'x'))
      .map(([i, end, body]) => step('post', { i, end, body }, (run) => run.post(i, end, body))),
  },
  { weight: 2, arbitrary: channel.map((i) => step('reopen', { i }, (run) => run.reopen(i))) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(who, fc.constantFrom('poll', 'longpoll' as const), fc.integer({ min: 1, max: 4 }))
      .map(([i, path, limit]) =>
        step(path, { i, limit }, async (run) => {
          const client = run.clients[i]!
          await client.poll(client.idle ? 'poll' : path, limit)
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
    arbitrary: fc
      .tuple(who, set)
      .map(([i, channels]) =>
        step('other channels', { i, channels }, async (run) => run.clients[i]!.go(run.of(channels))),
      ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(who, fc.nat(5)).map(([i, back]) =>
      step('an earlier cursor', { i, back }, async (run) => {
        const client = run.clients[i]!
        client.go(client.channels, run.model.at(back)?.seq)
      }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        who,
        fc.oneof(last, fc.nat(5)),
        fc.constantFrom('poll', 'longpoll', 'hold', openStream, openSocket),
      )
      .map(([i, from, how]) =>
        step('start', { i, from, how: typeof how === 'string' ? how : how.name }, async (run) => {
          const client = run.clients[i]!
          client.choose(typeof from === 'string' ? from : `since:${run.model.at(from)?.time ?? 0}`)
          if (typeof how !== 'string') await client.open(how)
          else if (how === 'hold') await run.hold(client, [0, 1, 2, 3])
          else await client.poll(client.idle ? 'poll' : how, 2)
        }),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(who, channel, fc.oneof(fc.constantFrom('place', 'now', 'earliest', 'zero', 'since:0'), last))
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

/** Fewer over Redis, where each publish is a call. */
const RUNS = process.env.TIDINGS_TEST_REDIS === undefined ? 160 : 12

/** Milliseconds after which no run begins. One that has begun comes to its end: its readers are counted. */
const LIMIT = 30_000

t.test('clients get what the model has', async (t) => {
  const until = performance.now() + LIMIT
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(set, set, set),
      fc.array(steps, { minLength: 5, maxLength: 40, size: 'max' }),
      async (sets, todo) => {
        if (performance.now() > until) return
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
    { numRuns: RUNS },
  )
  t.equal(log.groups.watching, 0)
  t.ok(log.head > 0, `${log.head} entries`)
})
