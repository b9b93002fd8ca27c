import type { Kind, Mark } from '../payload.ts'
import type { Message, Stored } from '../shared/engine.ts'

/** Letters for the type of a message, followed by those for its mark. */
const LETTERS: Record<Kind, string> = { json: 'j', text: 't', bytes: 'b' }
const KINDS: Record<string, Kind> = { j: 'json', t: 'text', b: 'bytes' }
const MARKS: Record<string, Mark> = { e: 'end', r: 'reopen', d: 'delete' }

/** Payloads that this package makes have one line; those of other programs may have more. */
export function oneLine(json: string): string {
  return json.includes('\n') ? json.replaceAll('\n', ' ') : json
}

export function lettersOf({ kind, mark }: Message['payload']): string {
  return mark === undefined ? LETTERS[kind] : LETTERS[kind] + mark[0]
}

/** `letters channel json` */
export function parseLine(
  text: string,
  from: number,
  to: number,
  epoch: string,
  seq: number,
  time: number,
): Stored {
  const channel = text.indexOf(' ', from) + 1
  const json = text.indexOf(' ', channel) + 1
  const kind = KINDS[text[from]!]!
  const mark = channel - from > 2 ? MARKS[text[from + 1]!] : undefined
  const data = text.slice(json, to)
  const payload = mark === undefined ? { kind, json: data } : { kind, json: data, mark }
  return { epoch, seq, time, channel: text.slice(channel, json - 1), payload }
}

/** The entries of a reply of XREAD: a list of pairs, a map, or in RESP 3 by ioredis a flat list. */
export function entriesOf(reply: unknown): readonly [id: string, fields: readonly string[]][] {
  if (reply === null || reply === undefined) return []
  const streams = Array.isArray(reply) ? reply : reply instanceof Map ? [...reply] : Object.entries(reply)
  const [, entries] = Array.isArray(streams[0]) ? streams[0] : streams
  return entries as [string, string[]][]
}

/** Pairs of name and number: a flat list, or in RESP 3 a list of lists. */
export function pairsOf(list: readonly unknown[]): Map<string, number> {
  const flat = list.flat()
  const pairs = new Map<string, number>()
  for (let i = 0; i < flat.length; i += 2) pairs.set(String(flat[i]), Number(flat[i + 1]))
  return pairs
}
