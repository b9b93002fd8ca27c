import { randomBytes } from 'node:crypto'
import type { Cursor } from './cursor.ts'

/** Past epochs whose cursors are still understood. */
export const MOST_EPOCHS = 64

/** A name for an epoch that no other has. */
export function newEpoch(): string {
  return randomBytes(6).toString('base64url')
}

/**
 * The epochs that a log came through. Each shares with the present what stands up to its end; what it had after that
 * was lost, or came to stand in another order.
 */
export class Epochs {
  #present = newEpoch()
  /** The ends of those before, the oldest first. */
  readonly #ends = new Map<string, number>()

  get present(): string {
    return this.#present
  }

  /** The end of an epoch before the present one; undefined where it is not known. */
  endOf(epoch: string): number | undefined {
    return this.#ends.get(epoch)
  }

  *past(): IterableIterator<Cursor> {
    for (const [epoch, seq] of this.#ends) yield { epoch, seq }
  }

  /** A new epoch, which has all up to this seq in common with the one before. */
  turn(epoch: string, end: number): void {
    for (const [name, known] of this.#ends) if (known > end) this.#ends.set(name, end)
    this.remember(this.#present, end)
    this.#present = epoch
    this.#ends.delete(epoch)
  }

  /** An epoch from before, as others tell of it. */
  remember(epoch: string, end: number): void {
    this.#ends.delete(epoch)
    this.#ends.set(epoch, end)
    if (this.#ends.size > MOST_EPOCHS) this.#ends.delete(this.#ends.keys().next().value!)
  }

  /** A new epoch, which has nothing in common with any before. */
  startOver(epoch: string): void {
    this.#ends.clear()
    this.#present = epoch
  }
}
