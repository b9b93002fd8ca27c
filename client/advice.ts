const LOAD = 'load the current state, then resume from the cursor.'
/** How to recover from a gap. */
export const ADVICE = {
  trimmed: `Messages were dropped before they were read: ${LOAD}`,
  epoch: `The log has started over: discard its state, ${LOAD}`,
  ahead: `The log has lost messages: ${LOAD}`,
}

/** Globals of a page that Node lacks. */
const page = globalThis as {
  document?: object
  performance?: { getEntriesByType(type: string): { nextHopProtocol?: string }[] }
}

let warned = false

/** Over HTTP/1.1 a browser opens at most six connections to an origin, and streams occupy them. */
export function warnOfConnectionLimit(): void {
  if (
    warned ||
    !page.document ||
    page.performance?.getEntriesByType('navigation')[0]?.nextHopProtocol !== 'http/1.1'
  )
    return
  warned = true
  console.warn(
    'fastify-tidings: over HTTP/1.1, six tabs with sse use all connections to this origin; use HTTP/2 or ws',
  )
}
