import type { Test } from 'tap'
import type { Batch } from '../../bus/batch.ts'
import type { Gap } from '../../bus/bound.ts'
import { NOWHERE } from '../../bus/indexed-set.ts'
import { Log } from '../../bus/log.ts'
import type { End } from '../../bus/message.ts'
import { endPayload, textPayload } from '../../bus/payload.ts'
import type { Sink } from '../../bus/reader.ts'
import type { Member } from '../../bus/reader-group.ts'
import type { Retention } from '../../bus/retention.ts'

/** A log that closes with the test, and forgets nothing unless it is told to. */
export function makeLog(t: Test, retention: Retention = {}): Log {
  const log = new Log({
    messages: 1_000_000,
    age: Infinity,
    bytes: Number.MAX_SAFE_INTEGER,
    channels: 1000,
    ...retention,
  })
  t.teardown(() => log.close())
  return log
}

/** Appends a text. @returns its seq */
export function say(log: Log, channel: string, text = 'x'): number {
  return log.append(channel, textPayload(text)).seq
}

/** Ends a channel. @returns the end's seq */
export function end(log: Log, channel: string, text?: string): number {
  return log.append(channel, endPayload(text === undefined ? undefined : textPayload(text))).seq
}

/** A live member of no view yet. */
export function memberOf(deliver: (after: number) => void): Member {
  return { group: undefined, indexInGroup: NOWHERE, seen: 0, deliver, turned: () => {} }
}

/** All that is waiting to be done at the end of this turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A sink that writes down what it gets: seqs, gaps as `reason seq channel`, ends as `end channel seq`, `finished`. */
export class Recorder implements Sink {
  full = false
  readonly got: (number | string)[] = []
  readonly batches: Batch[] = []
  /** Called behind each batch. */
  onBatch: (batch: Batch) => void = () => {}
  /** Called behind each gap. */
  onGap: () => void = () => {}

  batch(batch: Batch): void {
    this.batches.push(batch)
    for (const { seq, end, channel } of batch.entries) this.got.push(end ? `end ${channel} ${seq}` : seq)
    this.onBatch(batch)
  }

  gap({ reason, seq }: Gap, channel?: string): void {
    this.got.push(`${reason} ${seq}${channel === undefined ? '' : ` ${channel}`}`)
    this.onGap()
  }

  end({ channel }: End, cursor: string): void {
    this.got.push(`end ${channel} at ${cursor.split('.')[1]}`)
  }

  finished(): void {
    this.got.push('finished')
  }

  /** What came since this was called last. */
  take(): (number | string)[] {
    return this.got.splice(0)
  }
}
