/** Numbers in [0, 1). */
export type Random = () => number

/**
 * One seed of two, so that near seeds give streams that have nothing in common: two rounds of the finaliser of
 * MurmurHash3 (Appleby, public domain).
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
 * A generator with 128 bits of state, sfc32 of the PractRand suite: quick, and the same on every machine. The first
 * twelve numbers are thrown away, as its author says, since the seed has not reached all of the state yet.
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
  // 53 bits: all that a number has.
  return () => ((next() >>> 5) * 0x400_0000 + (next() >>> 6)) / 2 ** 53
}

/** The time until the next event of a Poisson process, by inverting 1 − e^(−λt). */
export function exponential(random: Random, rate: number): number {
  return -Math.log1p(-random()) / rate
}

/** The times of a Poisson process in [0, end), in order. */
export function poissonTimes(random: Random, rate: number, end: number): number[] {
  const times: number[] = []
  for (let at = exponential(random, rate); at < end; at += exponential(random, rate)) times.push(at)
  return times
}

/**
 * So many times in [0, end), in order: what a Poisson process is where its count is known, uniform order statistics. The
 * rate of such a load is the one that is stated, whatever the seed.
 */
export function uniformTimes(random: Random, count: number, end: number): number[] {
  return Array.from({ length: count }, () => random() * end).sort((a, b) => a - b)
}

/** The same items in random order (Fisher and Yates). The list itself is left as it is. */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const list = [...items]
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[list[i], list[j]] = [list[j]!, list[i]!]
  }
  return list
}
