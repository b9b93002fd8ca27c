import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { DeliverMessage } from '../bus/deliver-channel.ts'
import type { PublishMessage } from '../bus/publish-channel.ts'
import type { Tidings } from '../plugins/bus.ts'
import type { Cost } from '../routes/http/meter.ts'
import type { GapTold, ReaderClose, ReaderOpen, Refused } from '../routes/http/reader-channels.ts'
import { Counter } from './counter.ts'
import { Histogram } from './histogram.ts'
import type { HistogramMetric, Metric, Sample } from './metric.ts'

/** Upper bounds of the buckets, in seconds. */
const DELAYS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const TIMES = [0.1, 1, 5, 10, 30, 60, 300, 1800, 3600, 14_400]

/** All figures of a log: those of `stats()`, and counts of the diagnostics channels since the construction. */
export class Figures {
  readonly #tidings: Tidings
  readonly #published = new Counter()
  readonly #publishedBytes = new Counter()
  readonly #gaps = new Counter()
  readonly #refused = new Counter()
  readonly #closed = new Counter()
  readonly #delay = new Histogram(DELAYS)
  readonly #held = new Histogram(TIMES)
  readonly #openedAt = new WeakMap<object, number>()
  readonly #listeners: Readonly<Record<string, (message: unknown) => void>> = {
    'tidings.publish': (message) => {
      this.#published.add()
      this.#publishedBytes.add({}, (message as PublishMessage).size)
    },
    'tidings.deliver': (message) => this.#delay.record((message as DeliverMessage).delayMs / 1000),
    'tidings.gap': (message) => {
      const { transport, reason } = message as GapTold
      this.#gaps.add({ transport, reason })
    },
    'tidings.refused': (message) => this.#refused.add({ code: (message as Refused).code }),
    'tidings.reader.open': (message) => {
      this.#openedAt.set((message as ReaderOpen).reader, performance.now())
    },
    'tidings.reader.close': (message) => {
      const { transport, reason, reader } = message as ReaderClose
      this.#closed.add({ transport, reason })
      const openedAt = this.#openedAt.get(reader)
      if (openedAt !== undefined) this.#held.record((performance.now() - openedAt) / 1000, { transport })
    },
  }

  constructor(tidings: Tidings) {
    this.#tidings = tidings
    this.#published.add({}, 0)
    this.#publishedBytes.add({}, 0)
    for (const [name, listener] of Object.entries(this.#listeners)) subscribe(name, listener)
  }

  close(): void {
    for (const [name, listener] of Object.entries(this.#listeners)) unsubscribe(name, listener)
  }

  get histograms(): readonly HistogramMetric[] {
    return [
      {
        name: 'delivery.delay',
        unit: 's',
        help: 'Time from the append of a message until it was written to the live readers of its channel.',
        histogram: this.#delay,
      },
      {
        name: 'reader.duration',
        unit: 's',
        help: 'Time for which a reader was held.',
        histogram: this.#held,
      },
    ]
  }

  *metrics(): IterableIterator<Metric> {
    const { bus, transports, process } = this.#tidings.stats()
    const metric =
      (type: Metric['type']) =>
      (name: string, unit: string, help: string, samples: Iterable<Sample> | number): Metric => ({
        name,
        unit,
        help,
        type,
        samples: typeof samples === 'number' ? [[{}, samples]] : samples,
      })
    const [counter, updown, gauge] = [metric('counter'), metric('updown'), metric('gauge')]
    const each = (member: keyof Cost): Sample[] =>
      Object.entries(transports).map(([transport, cost]) => [{ transport }, cost[member]])
    yield counter(
      'published.messages',
      '{message}',
      'Entries appended to the log of this process.',
      this.#published,
    )
    yield counter('published.bytes', 'By', 'Bytes of their envelopes.', this.#publishedBytes)
    yield counter('requests', '{request}', 'Requests by transport.', each('requests'))
    yield counter('delivered.messages', '{message}', 'Messages delivered to clients.', each('messages'))
    yield counter('received.bytes', 'By', 'Bytes received on sockets.', each('bytesIn'))
    yield counter('sent.bytes', 'By', 'Bytes sent on sockets.', each('bytesOut'))
    yield updown('open.connections', '{connection}', 'Open requests and connections.', each('open'))
    yield counter('closed.readers', '{reader}', 'Readers that closed.', this.#closed)
    yield counter('gaps', '{gap}', 'Gaps that were reported.', this.#gaps)
    yield counter('refused', '{request}', 'Refused requests and operations.', this.#refused)
    yield gauge('log.head', '{message}', 'The seq of the last message.', bus.head)
    yield gauge('log.messages', '{message}', 'Kept messages.', bus.messages)
    yield gauge('log.channels', '{channel}', 'Channels with a message.', bus.channels)
    yield gauge('log.bytes', 'By', 'Memory of the log.', bus.bytes)
    yield gauge('bus.connected', '1', 'Whether the bus is connected: 1 or 0.', bus.connected ? 1 : 0)
    yield gauge(
      'follower.lag',
      '{message}',
      'Messages that the shared log has and this process does not have yet.',
      bus.lag,
    )
    const { p50, p99 } = process.eventLoopDelayMs
    yield gauge('event_loop.delay', 's', 'Delay of the event loop since the start.', [
      [{ quantile: '0.5' }, p50 / 1000],
      [{ quantile: '0.99' }, p99 / 1000],
    ])
  }
}
