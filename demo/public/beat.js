/** Milliseconds from one drawing to the next: each costs a layout of the page. */
const BEAT = 125

const waiting = new Set()
let asked = false
let last = Number.NEGATIVE_INFINITY

/**
 * Draws in a frame to come, together with all else that waits: at once, but eight times a second at most.
 * @param {() => void} draw asked for again before that, it is drawn once
 */
export function onBeat(draw) {
  waiting.add(draw)
  if (asked) return
  asked = true
  const rest = last + BEAT - performance.now()
  if (rest > 0) setTimeout(() => requestAnimationFrame(beat), rest)
  else requestAnimationFrame(beat)
}

function beat() {
  asked = false
  last = performance.now()
  const all = [...waiting]
  waiting.clear()
  for (const draw of all) draw()
}
