/** Returns a number in [0, 1). */
export type Random = () => number

/**
 * Combines two numbers into a seed, so that similar seeds give independent streams. Two rounds of the MurmurHash3
 * finalizer (Appleby, public domain).
 */
export function seedOf(seed: number, index: number): number {
  return mix(mix(seed >>> 0) ^ Math.imul(index + 1, 0x9e37_79b9))
}

function mix(x: number): number {
  let h = x ^ (x >>> 16)
  h = Math.imul(h, 0x85eb_ca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2_ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/**
 * Creates sfc32 of the PractRand suite: a fast, portable generator with 128 bits of state. It drops the first twelve
 * numbers, as its author recommends, until the seed has reached all of the state.
 */
export function randomOf(seed: number): Random {
  let a = seed >>> 0
  let b = 0
  let c = 0
  let counter = 1
  const next = () => {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  for (let i = 0; i < 12; i++) next()
  // 53 bits, the precision of a number.
  return () => ((next() >>> 5) * 0x400_0000 + (next() >>> 6)) / 2 ** 53
}

/** Returns the time until the next event of a Poisson process, by inversion of 1 − e^(−λt). */
export function exponential(random: Random, rate: number): number {
  return -Math.log1p(-random()) / rate
}

/** Returns the times of a Poisson process in [0, end), ascending. */
export function poissonTimes(random: Random, rate: number, end: number): number[] {
  const times: number[] = []
  for (let at = exponential(random, rate); at < end; at += exponential(random, rate)) times.push(at)
  return times
}

/**
 * Returns `count` times in [0, end), ascending. A Poisson process with a known count has uniform order statistics. The
 * rate of the load is exact for every seed.
 */
export function uniformTimes(random: Random, count: number, end: number): number[] {
  return Array.from({ length: count }, () => random() * end).sort((a, b) => a - b)
}

/** Returns the items in random order (Fisher–Yates). Does not modify the list. */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const list = [...items]
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[list[i], list[j]] = [list[j]!, list[i]!]
  }
  return list
}
