/** What makes it likely that the network has changed, or that time has passed unseen. */
const WAKES = ['online', 'offline', 'pageshow', 'visibilitychange']

/** What a page has and Node has not. */
const page = globalThis as unknown as Partial<EventTarget> & {
  document?: { visibilityState: string }
  performance?: { getEntriesByType(type: string): { nextHopProtocol?: string }[] }
}

/** Calls when the network may be back, and when the page is looked at again. @returns what ends it */
export function watchPage(wake: () => void): () => void {
  const listen = (event: Event) => {
    // The first `pageshow` of a page is none of a page that comes back.
    if (page.document?.visibilityState !== 'hidden' && (event as { persisted?: boolean }).persisted !== false)
      wake()
  }
  for (const type of WAKES) page.addEventListener?.(type, listen)
  return () => {
    for (const type of WAKES) page.removeEventListener?.(type, listen)
  }
}

let warned = false

/** A browser opens six connections to an origin over HTTP/1.1; streams hold them. */
export function warnOfSix(): void {
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
