/**
 * Computes where events are drawn. Time runs down by one clock for all lanes: what is further down happened later, in
 * any lane. Distance is time, with two exceptions: quiet periods are folded, and the clock waits for a row that has no
 * room yet in its lane.
 *
 * @typedef {object} Happening
 * @property {'row' | 'line' | 'end' | 'bar'} kind a row of one lane; a line through all; the arrival of a row's arrow;
 *   what goes on from here in a lane
 * @property {number} at milliseconds
 * @property {string} [lane]
 * @property {number} [lead] pixels that it needs above its place, and `tail` below
 * @property {number} [tail]
 * @property {string} [bundle] rows of one name that come in quick succession are one: where nothing stands between
 *   them in their lane, or where it is so busy that nobody could read them
 *
 * @typedef {object} Clock
 * @property {number} at the time that has been placed last
 * @property {number} y
 * @property {Record<string, number>} bottoms where each lane has room again
 * @property {Record<string, { until: number, first: Happening }>} bundles
 * @property {Record<string, { name: string, times: number[] }>} rows the last of each lane, and those of its last second
 * @property {Happening[]} pending what has not come to pass yet, such as an arrival
 *
 * @typedef {object} Placed
 * @property {Happening} what
 * @property {number} y
 * @property {Happening} [into] the one that it is bundled with, at whose place it stands
 * @property {{ y: number, ms: number }} [quiet] time that is folded before it
 */

/** Maximum pixels of a quiet period. A longer one is folded. */
export const LONGEST = 88
/** Milliseconds in which rows join a bundle. */
const SUCCESSION = 500
/** More rows per second in a lane than this are too many to read. */
const BUSY = 8

/** @param {number} ms @param {number} speed pixels a second */
function lengthOf(ms, speed) {
  return Math.min(LONGEST, (ms / 1000) * speed)
}

/** @param {readonly string[]} lanes @param {number} [y] @returns {Clock} */
export function startClock(lanes, y = 0) {
  return {
    at: Number.NaN,
    y,
    bottoms: Object.fromEntries(lanes.map((lane) => [lane, y])),
    bundles: {},
    rows: {},
    pending: [],
  }
}

/** Where the clock stands. @param {Clock} clock @param {number} now @param {number} speed */
export function placeOf({ at, y }, now, speed) {
  return at < now ? y + lengthOf(now - at, speed) : y
}

/**
 * Places all events up to now.
 * @param {Clock} clock it stays as it is
 * @param {readonly Happening[]} happenings
 * @param {number} now
 * @param {number} speed
 * @returns {{ clock: Clock, placed: Placed[] }}
 */
export function run(clock, happenings, now, speed) {
  // The sort is stable: events of the same time keep their order.
  const all = [...clock.pending, ...happenings].sort((a, b) => a.at - b.at)
  const due = all.filter(({ at }) => at <= now)
  const next = {
    ...clock,
    bottoms: { ...clock.bottoms },
    bundles: { ...clock.bundles },
    rows: { ...clock.rows },
  }
  next.pending = all.slice(due.length)
  return { clock: next, placed: due.map((what) => place(next, what, speed)) }
}

/** @param {Clock} clock which moves @param {Happening} what @param {number} speed @returns {Placed} */
function place(clock, what, speed) {
  const { kind, lane, at, lead = 0, tail = 0, bundle } = what
  const name = `${lane} ${bundle}`
  if (kind === 'row' || kind === 'line') {
    const before = clock.rows[lane]
    const times = [...(before?.times ?? []).filter((time) => time > at - 1000), at]
    clock.rows[lane] = { name, times }
    const open = bundle === undefined ? undefined : clock.bundles[name]
    if (open && at < open.until && (before.name === name || times.length > BUSY)) {
      return { what, y: clock.y, into: open.first }
    }
  }
  const elapsed = at > clock.at ? at - clock.at : 0
  const from = clock.y
  let y = from + lengthOf(elapsed, speed)
  const quiet =
    (elapsed / 1000) * speed > LONGEST ? { y: (from + y) / 2, ms: Math.round(elapsed) } : undefined
  const lanes = kind === 'line' ? Object.keys(clock.bottoms) : [lane]
  for (const each of lanes) if (kind !== 'end' && kind !== 'bar') y = Math.max(y, clock.bottoms[each] + lead)
  for (const each of lanes) clock.bottoms[each] = Math.max(clock.bottoms[each], y + tail)
  if (bundle !== undefined) clock.bundles[name] = { until: at + SUCCESSION, first: what }
  clock.y = y
  clock.at = elapsed > 0 || Number.isNaN(clock.at) ? at : clock.at
  return { what, y, ...(quiet && { quiet }) }
}

/** As if all had happened so many pixels higher. @param {Clock} clock @param {number} by @returns {Clock} */
export function raise(clock, by) {
  const bottoms = Object.entries(clock.bottoms).map(([lane, y]) => [lane, y - by])
  return { ...clock, y: clock.y - by, bottoms: Object.fromEntries(bottoms) }
}
