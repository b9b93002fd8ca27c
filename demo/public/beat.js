/** Minimum milliseconds between two drawings, because each one causes a layout. */
const BEAT = 150

const waiting = new Set()
let asked = false
let last = Number.NEGATIVE_INFINITY

/**
 * Draws in the next frame, together with all other pending drawings, at most seven times per second.
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
