/** Events after which the network may have changed, or the page may have been suspended. */
const WAKES = ['online', 'offline', 'pageshow', 'visibilitychange']

/** Globals of a page that Node lacks. */
const page = globalThis as unknown as Partial<EventTarget> & {
  document?: { visibilityState: string }
}

/** Calls `wake` when the network may be back, and when the page becomes visible. @returns a function that stops it */
export function onWake(wake: () => void): () => void {
  const listen = (event: Event) => {
    // The first `pageshow` of a page does not mean that the page returned.
    if (page.document?.visibilityState !== 'hidden' && (event as { persisted?: boolean }).persisted !== false)
      wake()
  }
  for (const type of WAKES) page.addEventListener?.(type, listen)
  return () => {
    for (const type of WAKES) page.removeEventListener?.(type, listen)
  }
}
