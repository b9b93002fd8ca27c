import type { Batch } from './batch.ts'
import type { Bound, Gap } from './bound.ts'
import type { Bus } from './bus.ts'
import { checkChannels } from './channel.ts'
import { parseStart, type Start } from './cursor.ts'
import { ERR_CURSOR, GapError } from './errors.ts'
import type { Excerpt } from './excerpt.ts'
import { NOWHERE } from './indexed-set.ts'
import type { Log } from './log.ts'
import type { Entry, Message } from './message.ts'
import type { Member } from './reader-group.ts'

/** The end of a channel, as programs receive it. */
export interface Ended extends Omit<Message, 'data'> {
  /** The data that came with the end, if any. */
  readonly data?: unknown
}

export interface SubscribeOptions {
  /** Where to start: a cursor, `earliest`, `last:N`, `since:MS` or `now`. @default 'now' */
  cursor?: string
  /** Ends the loop without an error. */
  signal?: AbortSignal
  /**
   * Called with each gap; the loop then continues from the gap's cursor. Without it, the loop throws TIDINGS_ERR_GAP.
   * An error that it throws ends the loop.
   */
  onGap?: (gap: GapError) => void
  /** Called with the end of each channel. The loop ends after the last one. An error that it throws ends the loop. */
  onEnd?: (end: Ended) => void
}

const STEP: Bound = { limit: 100, bytes: 1024 * 1024 }

/**
 * Iterates over the messages of channels in log order, then over new ones. A slow loop costs no memory: it keeps only
 * its place in the log. The start is resolved by this call, not by the loop's first iteration. The loop ends when all
 * of its channels have ended.
 * @param closing ends the loop like `options.signal`
 * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR; in the loop TIDINGS_ERR_GAP, TIDINGS_ERR_UNAVAILABLE
 */
export function subscribe<T>(
  bus: Pick<Bus, 'log' | 'settle'>,
  channel: string | readonly string[],
  { cursor = 'now', signal, onGap, onEnd }: SubscribeOptions,
  closing: AbortSignal,
): AsyncIterableIterator<Message<T>> {
  const { log } = bus
  const channels = checkChannels(typeof channel === 'string' ? [channel] : channel)
  const start = parseStart(cursor)
  if (start === undefined) throw new ERR_CURSOR()

  const ended = new AbortController()
  const signals = signal === undefined ? [closing] : [closing, signal]
  const waits = bus.settle?.(start)
  // The first `next()` rejects with it.
  waits?.catch(() => {})
  const place = () => standing(log, start, channels)
  const messages = follow<T>(log, channels, waits?.then(place) ?? place(), ended, signals, { onGap, onEnd })
  return {
    next: () => messages.next(),
    // Ends a pending `next()` too: a generator alone would wait for the next message first.
    return() {
      ended.abort()
      return messages.return()
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/** The state of a loop. */
interface Standing {
  epoch: string
  /** The seq up to which it got every message. */
  at: number
  /** The last place that it delivered. */
  told: number
  /** A gap that is still to be delivered. */
  hole: Gap | undefined
  excerpt: Excerpt | undefined
  /** Whether an end before its place is still to be delivered. */
  untold: boolean
}

function standing(log: Log, start: Start, channels: readonly string[]): Standing {
  const { seq, gap, excerpt } = log.locate(start, channels)
  return { epoch: log.epoch, at: seq, told: seq, hole: gap, excerpt, untold: true }
}

async function* follow<T>(
  log: Log,
  channels: readonly string[],
  start: Standing | Promise<Standing>,
  ended: AbortController,
  signals: readonly AbortSignal[],
  { onGap, onEnd }: Pick<SubscribeOptions, 'onGap' | 'onEnd'>,
): AsyncGenerator<Message<T>, void, void> {
  const end = () => ended.abort()
  // Added by the first `next()`, so that an unused iterator leaves no listener. Removed at the end.
  for (const each of signals) {
    if (each.aborted) end()
    each.addEventListener('abort', end, { signal: ended.signal })
  }
  try {
    const place = start instanceof Promise ? await beforeEnd(start, ended.signal) : start
    while (place !== undefined && !ended.signal.aborted) {
      if (place.epoch !== log.epoch) relocate(place, log, channels)
      const gap = place.hole ?? log.gapAfter(place.at, channels, place.excerpt)
      place.hole = undefined
      if (gap !== undefined) {
        const error = new GapError(gap.reason, log.cursor(gap.seq))
        if (onGap === undefined) throw error
        place.at = gap.seq
        place.told = gap.seq
        place.excerpt = undefined
        place.untold = true
        onGap(error)
        continue
      }
      const batch = log.read(channels, place.at, STEP, place.excerpt)
      log.turns.charge(batch)
      if (place.untold) for (const end of log.endsAt(channels, place.at)) onEnd?.(endOf(end, batch))
      place.untold = false
      for (const entry of batch.entries) {
        place.at = entry.seq
        place.told = entry.seq
        if (entry.end) onEnd?.(endOf(entry, batch))
        // An end without data whose channel was reopened meanwhile is void.
        else if (!entry.bare) yield entry.message(batch.cursorOf(entry)) as Message<T>
        if (ended.signal.aborted) return
        // The rest of the batch may have been trimmed.
        if (place.epoch !== log.epoch) break
      }
      if (place.epoch !== log.epoch) continue
      place.at = batch.end
      if (place.excerpt !== undefined && place.at >= place.excerpt.end) place.excerpt = undefined
      // A loop that awaits nothing else must not starve the sockets.
      if (batch.more) await new Promise<void>((resolve) => log.turns.wait(resolve))
      else if (batch.entries.length === 0) {
        if (batch.ended.length > 0 && batch.ended.length === channels.length) return
        await news(log, channels, ended.signal)
      }
    }
  } finally {
    end()
  }
}

/** @returns the result; undefined if the loop ends first */
function beforeEnd<T>(promise: Promise<T>, ended: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject)
    if (ended.aborted) resolve(undefined)
    ended.addEventListener('abort', () => resolve(undefined))
  })
}

/** Checks the place after a new epoch. */
function relocate(place: Standing, log: Log, channels: readonly string[]): void {
  const { epoch, told } = place
  const end = log.commonEnd(epoch)
  place.hole = log.forkAt({ epoch, seq: told }, channels)
  place.at = place.hole?.seq ?? Math.min(place.at, end!)
  if (place.hole === undefined) place.excerpt = place.excerpt?.cut(end!, place.at)
  place.epoch = log.epoch
}

function endOf(end: Entry, batch: Batch): Ended {
  const { channel, time } = end
  return { cursor: batch.cursorOf(end), channel, time, ...(!end.bare && { data: end.value }) }
}

/** Resolves at the next message of these channels, or when the signal aborts. */
function news(log: Log, channels: readonly string[], ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const group = log.groups.of(channels)
    const end = () => {
      group.leave(member)
      ended.removeEventListener('abort', end)
      resolve()
    }
    const member: Member = { group: undefined, indexInGroup: NOWHERE, seen: 0, deliver: end, turned: end }
    group.join(member)
    ended.addEventListener('abort', end)
  })
}
