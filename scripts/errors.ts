import * as table from '../bus/errors.ts'

interface Row {
  code: string
  statusCode: number
  message: string
}

/** Where a code occurs, and what to do about it. */
const ADVICE: Record<string, [where: string, advice: string]> = {
  TIDINGS_ERR_OPTION: [
    'registration',
    'Correct the option that the message names. See [options](options.md).',
  ],
  TIDINGS_ERR_FASTIFY: ['registration', 'Install a version of Fastify that the package supports.'],
  TIDINGS_ERR_CLOSED: ['every route', 'The app is closing. Try again after the restart.'],
  TIDINGS_ERR_UNAVAILABLE: [
    'every route, frames',
    'Wait for `Retry-After`. A publish may have been accepted or not: repeat it with its `Idempotency-Key`.',
  ],
  TIDINGS_ERR_ENGINE: ['registration', 'Configure the shared log as the message describes.'],
  TIDINGS_ERR_CHANNEL: ['every route, frames', 'Pass 1 to 32 valid channels; for a publish, pass one.'],
  TIDINGS_ERR_CURSOR: [
    'reading, `subscribe`',
    'Send a cursor unchanged, or one of the values in the message.',
  ],
  TIDINGS_ERR_LIMIT: ['`/poll`, `/longpoll`', 'Send an integer in the range that the message gives.'],
  TIDINGS_ERR_WAIT: ['`/longpoll`', 'Send an integer number of seconds.'],
  TIDINGS_ERR_FORMAT: ['reading', 'Send `format=raw` with one channel, or omit it.'],
  TIDINGS_ERR_END: ['publish', 'Send `end` without a value or as `true`; in a frame, as `true`.'],
  TIDINGS_ERR_ENDED: ['publish', 'Publish to another channel, or reopen this one: `app.tidings.reopen`.'],
  TIDINGS_ERR_KEY: ['publish', 'Send a shorter idempotency key.'],
  TIDINGS_ERR_PUBLISHER: ['`app.tidings.publish`', 'Pass a string of 1 to 256 characters.'],
  TIDINGS_ERR_KEY_REUSED: ['publish', 'Use a new idempotency key for a new payload.'],
  TIDINGS_ERR_KEYS_FULL: ['publish', 'Try again later, or raise `retention.keys` or `retention.bytes`.'],
  TIDINGS_ERR_JSON: ['publish', 'Correct the JSON, or send it as text.'],
  TIDINGS_ERR_UTF8: ['publish', 'Send UTF-8, or send bytes as `application/octet-stream`.'],
  TIDINGS_ERR_CHARSET: ['`/publish`', 'Convert the body to UTF-8.'],
  TIDINGS_ERR_ENCODING: ['`/publish`', 'Send the body without `Content-Encoding`.'],
  TIDINGS_ERR_TRANSFER: ['`/publish`', 'Send the body chunked or with its length.'],
  TIDINGS_ERR_DATA: ['publish', 'Correct `data` or `encoding` as the message describes.'],
  TIDINGS_ERR_TOO_LARGE: ['publish', 'Send a smaller payload, or raise `payloadLimit` or `retention.bytes`.'],
  TIDINGS_ERR_ORIGIN: [
    '`/publish`, `/ws`, `/echo`',
    "Add the page's origin to `origins`, or [configure the proxy to forward the host](deploying.md#the-origin-check).",
  ],
  TIDINGS_ERR_FORBIDDEN: [
    'every route, frames',
    '`authorize` refused, or a permission expired. Sign in again.',
  ],
  TIDINGS_ERR_NO_PUBLISH: ['`publish` frame', 'To let clients publish, set the option `publish`.'],
  TIDINGS_ERR_READERS: ['every route that reads', 'Wait for `Retry-After`, or raise `maxReaders`.'],
  TIDINGS_ERR_CLIENT_READERS: ['`/longpoll`, `/ws`, `/echo`', 'Close a reader, or wait for `Retry-After`.'],
  TIDINGS_ERR_FRAMES: ['frames', 'Send fewer frames. The socket closes with 1008.'],
  TIDINGS_ERR_PUBLISHES: ['publish', '`limits.publish` refused. Wait for `Retry-After`.'],
  TIDINGS_ERR_UPGRADE: [
    '`/ws`, `/echo`',
    'Use a WebSocket client. If you already use one, a proxy removes `Upgrade`: see [deploying](deploying.md).',
  ],
  TIDINGS_ERR_WS_VERSION: ['`/ws`, `/echo`', 'Use version 13.'],
  TIDINGS_ERR_WS_EXTENSIONS: ['`/ws`', 'Use a WebSocket client, or omit the header.'],
  TIDINGS_ERR_WS_KEY: ['`/ws`, `/echo`', 'Use a WebSocket client.'],
  TIDINGS_ERR_INTERNAL: [
    'every route, frames',
    'The server, `authorize` or `limits` failed. See the server log.',
  ],
  TIDINGS_ERR_FRAME: ['frames', 'Correct the frame as the message describes.'],
  TIDINGS_ERR_SUBSCRIBED: ['`subscribe` frame', 'Unsubscribe first to read from another cursor.'],
  TIDINGS_ERR_NOT_SUBSCRIBED: ['`unsubscribe` frame', 'Nothing: the socket does not read this channel.'],
  TIDINGS_ERR_GAP: [
    '`/poll`, `/longpoll`, `app.tidings.subscribe`',
    'Messages are missing. Continue from `cursor`.',
  ],
}

/** The errors of the package, with open placeholders in their messages. */
export function errorRows(): Row[] {
  return Object.values(table)
    .map((make) => {
      if (make === table.GapError) return new table.GapError('trimmed', 'CURSOR')
      return new (make as new () => Row)()
    })
    .map(({ code, statusCode, message }) => ({ code, statusCode: statusCode!, message }))
    .sort((a, b) => (a.code < b.code ? -1 : 1))
}

/** @throws where a code has no advice, or advice no code */
export function errorsPage(): string {
  const rows = errorRows()
  const unknown = Object.keys(ADVICE).filter((code) => !rows.some((row) => row.code === code))
  if (unknown.length > 0) throw new Error(`no such error: ${unknown.join(', ')}`)
  const lines = rows.map(({ code, statusCode, message }) => {
    const found = ADVICE[code]
    if (found === undefined) throw new Error(`scripts/errors.ts has no advice for ${code}`)
    const [where, advice] = found
    return `| \`${code}\` | ${statusCode} | ${where} | ${message.replace(/%[sd]/g, '…')} | ${advice} |`
  })
  return `# Errors

Over HTTP, an error is a JSON object with \`statusCode\`, \`code\`, \`error\` and \`message\`. On a WebSocket, an error frame has the same \`code\` and \`message\`. In a program, the error has the same \`code\`. Check the code; the wording of a message may change.

This page is generated from the table of errors in the source: \`npm run docs\`.

| code | status | where | message | what to do |
|---|---|---|---|---|
${lines.join('\n')}

Fastify's own errors (\`FST_ERR_…\`), such as \`FST_ERR_CTP_BODY_TOO_LARGE\` (413) for a payload above \`payloadLimit\`, are in [its documentation](https://fastify.dev/docs/latest/Reference/Errors/).
`
}
