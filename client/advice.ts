const LOAD = 'load the current state, then resume from the cursor.'
/** What can be done about a hole. */
export const ADVICE = {
  trimmed: `Messages were dropped before they were read: ${LOAD}`,
  epoch: `The log has started over: discard its state, ${LOAD}`,
  ahead: `The log has lost messages: ${LOAD}`,
}

/** What a page has and Node has not. */
const page = globalThis as {
  document?: object
  performance?: { getEntriesByType(type: string): { nextHopProtocol?: string }[] }
}

let warned = false

/** A browser opens six connections to an origin over HTTP/1.1; streams hold them. */
export function warnOfConnectionLimit(): void {
  if (
    warned ||
    !page.document ||
    page.performance?.getEntriesByType('navigation')[0]?.nextHopProtocol !== 'http/1.1'
  )
    return
  warned = true
  console.warn(
    'fastify-tidings: over HTTP/1.1, six tabs with sse hold all connections to this origin; use HTTP/2 or ws',
  )
}
