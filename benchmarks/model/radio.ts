/**
 * The share of time in which a phone's radio is on. After each transfer, the network keeps the radio in its active
 * state for a tail of T seconds. The model has one state and one tail. Real networks have more states, and tails of 2
 * to 15 s.
 */

/** Seconds. */
export const TAIL = 10

/** Returns the share for messages that arrive as a Poisson process: 1 − e^(−λT). */
export function radioPushed(rate: number, tail = TAIL): number {
  return -Math.expm1(-rate * tail)
}

/** Returns the share for a transfer every C seconds. */
export function radioPolled(cycle: number, tail = TAIL): number {
  return Math.min(1, tail / cycle)
}

/**
 * Returns the share for messages plus a heartbeat every C seconds. The heartbeat's tail covers part of each cycle,
 * messages the rest.
 */
export function radioWithHeartbeat(rate: number, cycle: number, tail = TAIL): number {
  const polled = radioPolled(cycle, tail)
  return polled + (1 - polled) * radioPushed(rate, tail)
}
