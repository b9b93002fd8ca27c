import type { Bound, Gap } from './bound.ts'
import { checkChannels } from './channel.ts'
import { parseStart } from './cursor.ts'
import { ERR_CURSOR, GapError } from './errors.ts'
import { NOWHERE } from './indexed-set.ts'
import type { Log } from './log.ts'
import type { Message } from './message.ts'
import type { Member } from './reader-group.ts'

export interface SubscribeOptions {
  /** Where to start: a message's cursor, `earliest`, or `now`. @default 'now' */
  cursor?: string
  /** Ends the loop, quietly. */
  signal?: AbortSignal
  /**
   * Told of a hole; the loop then goes on from the gap's cursor. Without it the loop throws TIDINGS_ERR_GAP.
   * A throw in it ends the loop with that error.
   */
  onGap?: (gap: GapError) => void
}

const STEP: Bound = { limit: 100, bytes: 1024 * 1024 }

/**
 * The messages of one channel or several, in log order, for as long as the loop runs. It is pulled: a slow loop waits
 * with its place in the log, and nothing is kept for it. The start is taken when this is called, not at the first turn
 * of the loop.
 * @param closing ends the loop like the signal in the options
 * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR; in the loop TIDINGS_ERR_GAP
 */
export function subscribe<T>(
  log: Log,
  channel: string | readonly string[],
  { cursor = 'now', signal, onGap }: SubscribeOptions,
  closing: AbortSignal,
): AsyncIterableIterator<Message<T>, void, void> {
  const channels = checkChannels(typeof channel === 'string' ? [channel] : channel)
  const start = parseStart(cursor)
  if (start === undefined) throw new ERR_CURSOR()
  const place = log.locate(start, channels)

  const ended = new AbortController()
  const signals = signal === undefined ? [closing] : [closing, signal]
  const messages = follow<T>(log, channels, place, ended, signals, onGap)
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
  place: { seq: number; gap: Gap | undefined },
  ended: AbortController,
  signals: readonly AbortSignal[],
  onGap: SubscribeOptions['onGap'],
): AsyncGenerator<Message<T>, void, void> {
  const end = () => ended.abort()
  // Not before the loop's first turn: an iterator that nobody asks leaves no listener behind. The end takes them away.
  for (const each of signals) {
    if (each.aborted) end()
    each.addEventListener('abort', end, { signal: ended.signal })
  }
  let at = place.seq
  let hole = place.gap
  try {
    while (!ended.signal.aborted) {
      const gap = hole ?? log.gapAfter(at, channels)
      hole = undefined
      if (gap !== undefined) {
        const error = new GapError(gap.reason, log.cursor(gap.seq))
        if (onGap === undefined) throw error
        onGap(error)
        at = gap.seq
        continue
      }
      const batch = log.read(channels, at, STEP)
      log.turns.charge(batch)
      for (const { seq, channel, time, value } of batch.entries) {
        yield { cursor: log.cursor(seq), channel, time, data: value as T }
        if (ended.signal.aborted) return
      }
      at = batch.end
      // A loop that waits for nothing else must not keep the sockets waiting.
      if (batch.more) await new Promise<void>((resolve) => log.turns.wait(resolve))
      else if (batch.entries.length === 0) await news(log, channels, ended.signal)
    }
  } finally {
    end()
  }
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
