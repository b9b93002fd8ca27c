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
export const ERR_BUSY = createError<[]>(
  'TIDINGS_ERR_BUSY',
  'As many handshakes as may be are under way: try again in a second',
  503,
)
