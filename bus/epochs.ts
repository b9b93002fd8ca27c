import { randomBytes } from 'node:crypto'
import type { Cursor } from './cursor.ts'

/** Number of past epochs whose cursors stay valid. */
export const MOST_EPOCHS = 64

/** @returns a unique name for an epoch */
export function newEpoch(): string {
  return randomBytes(6).toString('base64url')
}

/**
 * The epochs of a log. Each past epoch shares its history with the present up to its end. Anything after that end was
 * lost or reordered.
 */
export class Epochs {
  #present = newEpoch()
  /** The ends of past epochs, oldest first. */
  readonly #ends = new Map<string, number>()

  get present(): string {
    return this.#present
  }

  /** The end of a past epoch; undefined if the epoch is unknown. */
  endOf(epoch: string): number | undefined {
    return this.#ends.get(epoch)
  }

  *past(): IterableIterator<Cursor> {
    for (const [epoch, seq] of this.#ends) yield { epoch, seq }
  }

  /** Begins an epoch that shares its history with the previous one up to this seq. */
  turn(epoch: string, end: number): void {
    for (const [name, known] of this.#ends) if (known > end) this.#ends.set(name, end)
    this.remember(this.#present, end)
    this.#present = epoch
    this.#ends.delete(epoch)
  }

  /** Sets the end of a past epoch. */
  remember(epoch: string, end: number): void {
    this.#ends.set(epoch, end)
    if (this.#ends.size > MOST_EPOCHS) this.#ends.delete(this.#ends.keys().next().value!)
  }

  /** Begins an epoch that shares nothing with any previous one. */
  startOver(epoch: string): void {
    this.#ends.clear()
    this.#present = epoch
  }
}
