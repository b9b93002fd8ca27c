import type { Batch } from './batch.ts'
import type { Bound } from './bound.ts'
import { checkChannels } from './channel.ts'
import { parseStart } from './cursor.ts'
import { ERR_CURSOR, GapError } from './errors.ts'
import { NOWHERE } from './indexed-set.ts'
import type { Log, Place } from './log.ts'
import type { Entry, Message } from './message.ts'
import type { Member } from './reader-group.ts'

/** The end of a channel, as a program gets it. */
export interface Ended extends Omit<Message, 'data'> {
  /** What came with it; absent where nothing did. */
  readonly data?: unknown
}

export interface SubscribeOptions {
  /** Where to start: a message's cursor, `earliest`, `last:N`, `since:MS`, or `now`. @default 'now' */
  cursor?: string
  /** Ends the loop, quietly. */
  signal?: AbortSignal
  /**
   * Told of a hole; the loop then goes on from the gap's cursor. Without it the loop throws TIDINGS_ERR_GAP.
   * A throw in it ends the loop with that error.
   */
  onGap?: (gap: GapError) => void
  /** Told of the end of a channel. Once all have ended the loop ends. A throw in it ends the loop with that error. */
  onEnd?: (end: Ended) => void
}

const STEP: Bound = { limit: 100, bytes: 1024 * 1024 }

/**
 * The messages of one channel or several, in log order, for as long as the loop runs. It is pulled: a slow loop waits
 * with its place in the log, and nothing is kept for it. The start is taken when this is called, not at the first turn
 * of the loop. It ends when all of its channels have.
 * @param closing ends the loop like the signal in the options
 * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR; in the loop TIDINGS_ERR_GAP
 */
export function subscribe<T>(
  log: Log,
  channel: string | readonly string[],
  { cursor = 'now', signal, onGap, onEnd }: SubscribeOptions,
  closing: AbortSignal,
): AsyncIterableIterator<Message<T>, void, void> {
  const channels = checkChannels(typeof channel === 'string' ? [channel] : channel)
  const start = parseStart(cursor)
  if (start === undefined) throw new ERR_CURSOR()
  const place = log.locate(start, channels)

  const ended = new AbortController()
  const signals = signal === undefined ? [closing] : [closing, signal]
  const messages = follow<T>(log, channels, place, ended, signals, { onGap, onEnd })
  return {
    next: () => messages.next(),
    // Also while `next` is pending, where a generator alone would wait for the next message first.
    return() {
      ended.abort()
      return messages.return()
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

async function* follow<T>(
  log: Log,
  channels: readonly string[],
  place: Place,
  ended: AbortController,
  signals: readonly AbortSignal[],
  { onGap, onEnd }: Pick<SubscribeOptions, 'onGap' | 'onEnd'>,
): AsyncGenerator<Message<T>, void, void> {
  const end = () => ended.abort()
  // Not before the loop's first turn: an iterator that nobody asks leaves no listener behind. The end takes them away.
  for (const each of signals) {
    if (each.aborted) end()
    each.addEventListener('abort', end, { signal: ended.signal })
  }
  let { seq: at, gap: hole, excerpt } = place
  /** Whether an end that stands before it has still to be told. */
  let untold = true
  try {
    while (!ended.signal.aborted) {
      const gap = hole ?? log.gapAfter(at, channels, excerpt)
      hole = undefined
      if (gap !== undefined) {
        const error = new GapError(gap.reason, log.cursor(gap.seq))
        if (onGap === undefined) throw error
        onGap(error)
        at = gap.seq
        excerpt = undefined
        untold = true
        continue
      }
      const batch = log.read(channels, at, STEP, excerpt)
      log.turns.charge(batch)
      if (untold) for (const end of log.endsAt(channels, at)) onEnd?.(endOf(end, batch))
      untold = false
      for (const entry of batch.entries) {
        const { channel, time } = entry
        if (entry.end) onEnd?.(endOf(entry, batch))
        // One without data that was reopened meanwhile is nothing.
        else if (!entry.bare) yield { cursor: batch.cursorOf(entry), channel, time, data: entry.value as T }
        if (ended.signal.aborted) return
      }
      at = batch.end
      if (excerpt !== undefined && at >= excerpt.end) excerpt = undefined
      // A loop that waits for nothing else must not keep the sockets waiting.
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
    const member: Member = { group: undefined, indexInGroup: NOWHERE, seen: 0, deliver: end }
    group.join(member)
    ended.addEventListener('abort', end)
  })
}
