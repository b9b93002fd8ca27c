import { openSync, readSync } from 'node:fs'

/** Five channels; a reader asks for some of them. */
export const CHANNELS = ['a', 'b', 'c', 'd', 'e'] as const

/** A cursor, as the record has it. */
export interface Place {
  readonly life: Life
  readonly seq: number
}

/** One epoch of the log, as the server has written it down: the channel and the number of each message. */
export class Life {
  readonly epoch: string
  readonly number: number
  readonly #retention: number
  head = 0
  // Not on the heap: it must show growth of the client alone.
  #channels = new Uint8Array(4096)
  #ids = new Uint32Array(4096)
  #ordinals = new Uint32Array(4096)
  readonly #counts = CHANNELS.map(() => 0)
  readonly #last = CHANNELS.map(() => 0)

  constructor(epoch: string, number: number, retention: number) {
    this.epoch = epoch
    this.number = number
    this.#retention = retention
  }

  add(seq: number, channel: number, id: number): void {
    if (seq !== this.head + 1) throw new Error(`the record has ${seq} after ${this.head}`)
    if (seq === this.#channels.length) {
      this.#channels = grown(this.#channels, new Uint8Array(seq * 2))
      this.#ids = grown(this.#ids, new Uint32Array(seq * 2))
      this.#ordinals = grown(this.#ordinals, new Uint32Array(seq * 2))
    }
    this.head = seq
    this.#channels[seq] = channel
    this.#ids[seq] = id
    this.#ordinals[seq] = ++this.#counts[channel]!
    this.#last[channel] = seq
  }

  idOf(seq: number): number {
    return this.#ids[seq]!
  }

  channelOf(seq: number): number {
    return this.#channels[seq]!
  }

  /** Whether retention may have taken it by now. */
  trimmed(seq: number): boolean {
    return this.#counts[this.channelOf(seq)]! >= this.#ordinals[seq]! + this.#retention
  }

  /** The last message of these channels; 0 where there is none. */
  last(asked: ReadonlySet<number>): number {
    return Math.max(0, ...[...asked].map((channel) => this.#last[channel]!))
  }

  /** The messages of these channels between two places, both excluded. */
  between(asked: ReadonlySet<number>, after: number, before: number): number[] {
    const found = []
    for (let seq = after + 1; seq < before && seq <= this.head; seq++) {
      if (asked.has(this.#channels[seq]!)) found.push(seq)
    }
    return found
  }
}

function grown<T extends Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from)
  return to
}

/** What every life of the server has accepted, read from the files that it writes before anybody is told. */
export class Record {
  readonly lives: Life[] = []
  readonly #retention: number
  readonly #added: (life: Life, seq: number, id: number) => void
  #fd: number | undefined
  #rest = ''
  readonly #buffer = Buffer.alloc(65_536)

  constructor(retention: number, added: (life: Life, seq: number, id: number) => void) {
    this.#retention = retention
    this.#added = added
  }

  /** A new life begins; the file of the one before is read to its end. */
  begin(file: string): void {
    this.read()
    this.#fd = openSync(file, 'r')
    this.#rest = ''
  }

  get life(): Life {
    return this.lives.at(-1)!
  }

  read(): void {
    if (this.#fd === undefined) return
    for (;;) {
      const size = readSync(this.#fd, this.#buffer, 0, this.#buffer.length, null)
      if (!size) return
      const lines = (this.#rest + this.#buffer.toString('latin1', 0, size)).split('\n')
      this.#rest = lines.pop()!
      for (const line of lines) this.#line(line)
    }
  }

  #line(line: string): void {
    const [first, second, third] = line.split(' ') as [string, string, string]
    if (first === 'epoch') {
      this.lives.push(new Life(second, this.lives.length, this.#retention))
      return
    }
    const { life } = this
    const [seq, id] = [Number(first), Number(third)]
    life.add(seq, CHANNELS.indexOf(second as (typeof CHANNELS)[number]), id)
    this.#added(life, seq, id)
  }

  /** Where a cursor stands; undefined for one that no server has given. */
  place(cursor: string): Place | undefined {
    this.read()
    const [epoch, seq] = cursor.split('.') as [string, string]
    const life = this.lives.findLast((each) => each.epoch === epoch)
    return life && { life, seq: Number(seq) }
  }
}
