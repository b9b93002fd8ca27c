import { checkChannel, DEFAULT_CHANNEL } from '../../bus/channel.ts'
import { parseStart, type Start } from '../../bus/cursor.ts'
import { ERR_CURSOR, ERR_DATA, ERR_END, ERR_FRAME } from '../../bus/errors.ts'
import { checkKey } from '../../bus/idempotency-keys.ts'
import { memberText } from '../../bus/json.ts'
import { base64Payload, endPayload, jsonPayload, type Payload, textPayload } from '../../bus/payload.ts'

/** A frame of a client. */
export type ClientFrame =
  | { type: 'publish'; channel: string; payload: Payload; key: string | undefined }
  | { type: 'subscribe'; channel: string; start: Start }
  | { type: 'unsubscribe'; channel: string }
  | { type: 'ping' }

/** The parsed members of a frame. */
type Members = Readonly<Record<string, unknown>>

/**
 * Parses a text frame, and returns the source text of its `ref`, which the answer repeats unchanged.
 * @throws TIDINGS_ERR_FRAME
 */
export function parseMembers(text: string): { members: Members; ref: string | undefined } {
  let members: unknown
  try {
    members = JSON.parse(text)
  } catch {
    throw new ERR_FRAME('The frame is not JSON')
  }
  if (typeof members !== 'object' || members === null || Array.isArray(members)) {
    throw new ERR_FRAME('The frame must be a JSON object')
  }
  return { members: members as Members, ref: 'ref' in members ? memberText(text, 'ref') : undefined }
}

/**
 * @param text the source text of the frame: JSON.parse would lose digits of large numbers in `data`
 * @throws TIDINGS_ERR_FRAME, TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR, TIDINGS_ERR_KEY, TIDINGS_ERR_DATA,
 * TIDINGS_ERR_END
 */
export function parseFrame(text: string, members: Members): ClientFrame {
  switch (members.type) {
    case 'publish': {
      const key = members.key === undefined ? undefined : checkKey(members.key)
      return { type: 'publish', channel: channelOf(members), payload: payloadOf(text, members), key }
    }
    case 'subscribe': {
      const { cursor = 'now' } = members
      const start = typeof cursor === 'string' ? parseStart(cursor) : undefined
      if (start === undefined) throw new ERR_CURSOR()
      return { type: 'subscribe', channel: channelOf(members), start }
    }
    case 'unsubscribe':
      return { type: 'unsubscribe', channel: channelOf(members) }
    case 'ping':
      return { type: 'ping' }
    default:
      throw new ERR_FRAME("'type' must be publish, subscribe, unsubscribe or ping")
  }
}

function channelOf({ channel = DEFAULT_CHANNEL }: Members): string {
  return checkChannel(channel)
}

function payloadOf(text: string, members: Members): Payload {
  const { end = false, data } = members
  if (typeof end !== 'boolean') throw new ERR_END()
  if (!end) return dataOf(text, members)
  // An end may have no data.
  return endPayload(data === undefined ? undefined : dataOf(text, members))
}

function dataOf(text: string, { data, encoding }: Members): Payload {
  if (encoding !== undefined && encoding !== 'base64')
    throw new ERR_DATA("'encoding' must be 'base64' or omitted")
  if (encoding === 'base64') return base64Payload(data)
  if (data === undefined) throw new ERR_DATA("'data' is missing")
  return typeof data === 'string' ? textPayload(data) : jsonPayload(memberText(text, 'data')!)
}
