/** What makes it likely that the network has changed, or that time has passed unseen. */
const WAKES = ['online', 'offline', 'pageshow', 'visibilitychange']

/** What a page has and Node has not. */
const page = globalThis as unknown as Partial<EventTarget> & {
  document?: { visibilityState: string }
}

/** Calls when the network may be back, and when the page is looked at again. @returns what ends it */
export function onWake(wake: () => void): () => void {
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
