/**
 * The state of the lesson. `step` is the part; 0 is the guess.
 *
 * @typedef {object} State
 * @property {'off' | 'guess' | 'playing' | 'paused' | 'ending'} name
 * @property {number} step
 *
 * @typedef {'play' | 'pause' | 'back' | 'next' | 'stop' | 'done' | 'fail'} Move `done` and `fail` are the part's own
 */

/** @type {State} */
export const OFF = Object.freeze({ name: 'off', step: 0 })

/** @param {number} step @returns {State} */
const at = (step) => (step === 0 ? { name: 'guess', step } : { name: 'playing', step })
const off = () => OFF

/** @type {Record<State['name'], Partial<Record<Move, (step: number, last: number) => State>>>} */
const MOVES = {
  off: { play: () => at(0) },
  guess: { next: () => at(1), stop: off },
  playing: {
    pause: (step) => ({ name: 'paused', step }),
    back: (step) => at(step - 1),
    next: (step, last) => (step < last ? at(step + 1) : OFF),
    done: (step, last) => (step < last ? at(step + 1) : { name: 'ending', step }),
    fail: off,
    stop: off,
  },
  paused: {
    play: at,
    back: (step) => at(step - 1),
    next: (step, last) => (step < last ? at(step + 1) : OFF),
    fail: off,
    stop: off,
  },
  ending: { play: at, back: (step) => at(step - 1), next: off, stop: off },
}

/**
 * @param {State} state
 * @param {Move} move
 * @param {number} last the last part
 * @returns {State} the same where the move is none from there
 */
export function move(state, move, last) {
  return MOVES[state.name][move]?.(state.step, last) ?? state
}
