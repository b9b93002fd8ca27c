/**
 * The share of the time that a phone's radio is kept on. After each use the network holds it in its costly state for
 * a tail of T seconds. This is a model with one state and one tail: real networks have more, and tails of 2 to 15 s.
 */

/** Seconds. */
export const TAIL = 10

/** Woken by messages that come as a Poisson process: on unless the last T seconds had none, 1 − e^(−λT). */
export function radioPushed(rate: number, tail = TAIL): number {
  return -Math.expm1(-rate * tail)
}

/** Woken each C seconds: on for the tail of each cycle. */
export function radioPolled(cycle: number, tail = TAIL): number {
  return Math.min(1, tail / cycle)
}

/** Both: messages, and a sign of life each C seconds. Of a cycle the tail is on, the rest only by messages. */
export function radioBoth(rate: number, cycle: number, tail = TAIL): number {
  const polled = radioPolled(cycle, tail)
  return polled + (1 - polled) * radioPushed(rate, tail)
}
