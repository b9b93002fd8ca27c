import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Heap, heapNow } from './heap.ts'
import { Host } from './host.ts'
import { Judge, Violations } from './judge.ts'
import { ChaosProxy, type Troubles } from './proxy.ts'
import { Publisher } from './publisher.ts'
import { Random } from './random.ts'
import { ChaosReader, type Style } from './reader.ts'
import { CHANNELS, Record } from './record.ts'

export interface Plan {
  readonly minutes: number
  readonly seed: number
  readonly clients: number
  /** Messages a second, over all channels. */
  readonly rate: number
  readonly kills: number
  /** Messages kept in each channel. */
  readonly retention: number
}

export interface Figures {
  readonly violations: { readonly [kind: string]: number }
  readonly texts: readonly string[]
  readonly seconds: number
  readonly accepted: number
  readonly epochs: number
  readonly kills: number
  readonly delivered: number
  readonly gaps: number
  readonly switches: number
  readonly resumptions: number
  readonly errors: number
  readonly opens: { readonly [transport: string]: number }
  readonly publishes: {
    started: number
    settled: number
    handedOn: number
    tooOld: number
    slowestMs: number
  }
  readonly troubles: Troubles
  readonly left: { [what: string]: number }
  readonly heap: {
    [process: string]: {
      samples: number
      lastBytes: number
      growthBytes: number
      slopeBytesPerMinute: number
    }
  }
}

const STYLES: readonly Style[] = ['handler', 'loop', 'slow', 'handler']
/** Milliseconds in which all must have come once the network is calm. */
const PATIENCE = 60_000
/** The heap of a run that is shorter says nothing. */
const HEAP_MINUTES = 8
/** What a heap may grow from one third of a run to the next, in bytes. */
const HEAP_GROWTH = 2 * 1024 * 1024

/** Runs the plan. @param say told how it goes, about every half minute */
export async function runChaos(plan: Plan, say: (line: string) => void): Promise<Figures> {
  const random = new Random(plan.seed)
  const violations = new Violations()
  const onCrash = (error: unknown) =>
    violations.add('crash', error instanceof Error ? `${error.stack}` : `${error}`)
  process.on('uncaughtException', onCrash)
  process.on('unhandledRejection', onCrash)

  const readers: ChaosReader[] = []
  const record = new Record(plan.retention, (life, seq, id) => publisher.accepted(life, seq, id))
  const host = new Host(record, plan.retention)
  const publisher = new Publisher(random.fork(), readers, host, violations)
  publisher.record = record
  const proxy = new ChaosProxy(random.fork())
  let began = performance.now()
  const late = monitorEventLoopDelay({ resolution: 10 })
  late.enable()
  const minute = () => (performance.now() - began) / 60_000
  const heaps = { client: new Heap(), server: new Heap() }

  const comeUp = async () => {
    await host.start()
    proxy.target = Number(new URL(host.url).port)
    publisher.again()
  }
  try {
    const url = await proxy.listen()
    await comeUp()
    began = performance.now()
    for (let i = 0; i < plan.clients; i++) {
      const asked = new Set(CHANNELS.map((_, channel) => channel).filter(() => random.chance(0.4)))
      if (!asked.size) asked.add(i % CHANNELS.length)
      const habits = { style: STYLES[i % STYLES.length]!, resumes: i % 3 === 0 }
      const name = `reader ${i} (${habits.style}${habits.resumes ? ', resumes' : ''}, ${[...asked].map((each) => CHANNELS[each]).join('')})`
      const judge = new Judge(name, asked, record, violations, (id) => publisher.sizeOf(id))
      readers.push(new ChaosReader(url, judge, habits, random.fork()))
    }
    for (const reader of readers) reader.start()
    publisher.start(plan.rate)

    // Kills come at about the same distance, each somewhere in its part of the time.
    const kills = Array.from(
      { length: plan.kills },
      (_, i) => ((i + 0.3 + 0.6 * random.next()) / plan.kills) * plan.minutes,
    )
    let said = 0
    let measured = 0
    let born = minute()
    while (minute() < plan.minutes) {
      await sleep(200)
      if (kills[0] !== undefined && minute() >= kills[0]) {
        kills.shift()
        await host.kill()
        proxy.reset()
        await sleep(random.scale(10, 3000))
        await comeUp()
        born = minute()
      }
      if (minute() - measured >= 1 / 6) {
        measured = minute()
        heaps.client.add(minute(), heapNow())
        // The first minutes of a life warm it up, and fill what it remembers of keys.
        const { heap } = await host.measure()
        if (minute() - born > 4) heaps.server.add(minute(), heap)
      }
      if (minute() - said >= 0.5) {
        said = minute()
        const delivered = readers.reduce((sum, { judge }) => sum + judge.messages, 0)
        const gaps = readers.reduce((sum, { judge }) => sum + judge.gaps, 0)
        say(
          `${minute().toFixed(1)} min: ${publisher.started} published, ${publisher.pending.size} pending, ` +
            `${delivered} delivered, ${gaps} gaps, ${host.kills} kills, ${violations.total} violations, ` +
            `heap ${Math.round((heaps.client.samples.at(-1)?.bytes ?? 0) / 1e5) / 10} MB, ` +
            `event loop late by ${Math.round(late.percentile(50) / 1e6)} ms, p99 ${Math.round(late.percentile(99) / 1e6)} ms`,
        )
      }
    }

    // The network is good again: all must come.
    proxy.calm = true
    proxy.reset()
    publisher.stop()
    await Promise.all(readers.map((reader) => reader.calm()))
    const patient = async (so: () => boolean) => {
      const until = performance.now() + PATIENCE
      while (!so() && performance.now() < until) await sleep(50)
      return so()
    }
    if (!(await patient(() => publisher.pending.size === 0))) {
      for (const [id, { since, byProgram }] of publisher.pending) {
        const age = Math.round(performance.now() - since)
        violations.add('unsettled', `number ${id}${byProgram ? ' of the program' : ''}, for ${age} ms`)
      }
    }
    record.read()
    const { life } = record
    const endOf = (reader: ChaosReader) => ({ life, seq: life.last(reader.judge.asked) })
    await patient(() => readers.every((reader) => reader.judge.isAt(endOf(reader))))
    for (const reader of readers) {
      if (!reader.judge.isAt(endOf(reader))) {
        const { judge, feed } = reader
        violations.add(
          'stuck',
          `${judge.name}: at ${judge.place} of ${life.number}:${endOf(reader).seq}, ` +
            `its feed over ${feed.transport} in state ${feed.readyState} at ${feed.cursor}`,
        )
      } else reader.judge.arrive(endOf(reader), 'lost')
    }
    await Promise.all(readers.map((reader) => reader.close()))

    // Nothing is left behind.
    const open = async () => {
      const { transports } = (await (await fetch(`${host.url}/stats`)).json()) as {
        transports: { [transport: string]: { open: number } }
      }
      return Object.values(transports).reduce((sum, { open }) => sum + open, 0)
    }
    let left = { open: await open(), watching: (await host.measure()).watching, proxied: proxy.open }
    for (let i = 0; i < 100 && (left.open || left.watching); i++) {
      await sleep(100)
      left = { open: await open(), watching: (await host.measure()).watching, proxied: proxy.open }
    }
    if (left.open || left.watching) violations.add('left behind', JSON.stringify(left))
    await proxy.close()

    const opens: { [transport: string]: number } = {}
    for (const { seen } of readers) {
      for (const [transport, count] of seen) opens[transport] = (opens[transport] ?? 0) + count
    }
    const sum = (of: (reader: ChaosReader) => number) => readers.reduce((sum, reader) => sum + of(reader), 0)
    heaps.client.add(minute(), heapNow())
    if (plan.minutes >= HEAP_MINUTES) {
      for (const [name, heap] of Object.entries(heaps)) {
        if (heap.growth > HEAP_GROWTH)
          violations.add('heap', `that of the ${name} has grown by ${heap.growth} bytes`)
      }
    }
    const { started, settled, handedOn, tooOld, slowest } = publisher
    return {
      violations: Object.fromEntries(violations.counts),
      texts: violations.texts,
      seconds: Math.round(minute() * 60),
      accepted: record.lives.reduce((sum, { head }) => sum + head, 0),
      epochs: record.lives.length,
      kills: host.kills,
      delivered: sum(({ judge }) => judge.messages),
      gaps: sum(({ judge }) => judge.gaps),
      switches: sum((reader) => reader.switches),
      resumptions: sum((reader) => reader.resumptions),
      errors: sum((reader) => reader.errors),
      opens,
      publishes: { started, settled, handedOn, tooOld, slowestMs: Math.round(slowest) },
      troubles: proxy.troubles,
      left,
      heap: Object.fromEntries(
        Object.entries(heaps).map(([name, heap]) => [
          name,
          {
            samples: heap.samples.length,
            lastBytes: heap.samples.at(-1)?.bytes ?? 0,
            growthBytes: Math.round(heap.growth),
            slopeBytesPerMinute: Math.round(heap.slope),
          },
        ]),
      ),
    }
  } finally {
    process.off('uncaughtException', onCrash)
    process.off('unhandledRejection', onCrash)
    await host.end()
  }
}
