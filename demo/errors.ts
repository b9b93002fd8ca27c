import createError from '@fastify/error'

export const ERR_LANES = createError<[number]>(
  'TIDINGS_ERR_LANES',
  "Parameter 'lane' must name 1 to %d lanes, each by 16 letters and digits",
  400,
)
export const ERR_FULL = createError<[]>('TIDINGS_ERR_FULL', 'The demo has no room for more', 503)
export const ERR_CASE = createError<[string]>(
  'TIDINGS_ERR_CASE',
  'This case is not known: take one of %s',
  404,
)
export const ERR_HOST = createError<[string]>(
  'TIDINGS_ERR_HOST',
  "'%s' is not a name of this server: start it with --allow-host to accept it",
  421,
)
export const ERR_ORIGIN = createError<[]>(
  'TIDINGS_ERR_ORIGIN',
  'The Origin header names another site than this app',
  403,
)
export const ERR_CHANNEL = createError<[]>(
  'TIDINGS_ERR_CHANNEL',
  "Parameter 'channel' must be 1 to 128 of A-Z a-z 0-9 _ . : ~ -",
  400,
)
export const ERR_UPGRADE = createError<[]>(
  'TIDINGS_ERR_UPGRADE',
  'This is a WebSocket endpoint: send Connection: Upgrade and Upgrade: websocket',
  426,
)
export const ERR_BUSY = createError<[]>(
  'TIDINGS_ERR_BUSY',
  'As many handshakes as may be are under way: try again in a second',
  503,
)
