import type { Cursor } from '../../bus/cursor.ts'
import type { Batch, Engine, History, State, Stored, Trim, Turn, Verdict } from '../../bus/shared/engine.ts'
import { turn } from './fixture.ts'

/** The generations of all epochs: a read after a lost place returns what has a later one. */
const generations = new Map<string, number>()

function generationOf(epoch: string): number {
  const known = generations.get(epoch) ?? generations.size + 1
  generations.set(epoch, known)
  return known
}

/** What several engines share, in this process's memory. */
export class Store {
  epoch: string
  items: (Stored | Turn)[] = []
  kept: Stored[] = []
  head = 0
  start = 0
  forgotten = 0
  readonly floors = new Map<string, number>()
  readonly reopened = new Map<string, number>()
  ancestors: Cursor[] = []
  readonly writers = new Map<string, { number: number; verdicts: Verdict[] }>()

  constructor(epoch = 'first') {
    this.epoch = epoch
    generationOf(epoch)
  }

  fork(epoch: string, seq: number): void {
    generationOf(epoch)
    this.ancestors.push({ epoch: this.epoch, seq })
    this.items = [
      ...this.items.filter((item) => item.seq <= seq),
      { turn: true, epoch, seq, parent: this.epoch },
    ]
    this.epoch = epoch
    this.head = seq
  }

  /** Another server with the same log. */
  copy(): Store {
    const copy = new Store(this.epoch)
    copy.items = [...this.items]
    copy.head = this.head
    copy.ancestors = [...this.ancestors]
    copy.kept = [...this.kept]
    copy.start = this.start
    copy.forgotten = this.forgotten
    for (const [channel, floor] of this.floors) copy.floors.set(channel, floor)
    for (const [channel, seq] of this.reopened) copy.reopened.set(channel, seq)
    for (const [writer, last] of this.writers) copy.writers.set(writer, last)
    return copy
  }

  has(epoch: string): boolean {
    return epoch === this.epoch || this.ancestors.some((past) => past.epoch === epoch)
  }

  after({ epoch, seq }: Cursor): (Stored | Turn)[] {
    const generation = generations.get(epoch) ?? 0
    return this.items.filter((item) => {
      const own = generationOf(item.epoch)
      return own > generation || (own === generation && item.seq > seq)
    })
  }
}

/** An engine that can be held up, and that can fail behind an append. */
export class StoreEngine implements Engine {
  readonly name = 'a store'
  /** The server that it is led to. */
  store: Store
  /** Begins an epoch, if that of a caller is unknown. */
  onUnknown: ((store: Store) => void) | undefined
  /** Reads that are held up wait for it. */
  gate: Promise<void> | undefined
  /** So many appends are answered by an error, though they have been made. */
  faults = 0
  appends = 0

  constructor(store: Store) {
    this.store = store
  }

  async open(): Promise<void> {}

  #check(known: string | undefined): void {
    if (known !== undefined && !this.store.has(known)) this.onUnknown?.(this.store)
  }

  async append({ writer, number, messages, known }: Batch): Promise<readonly Verdict[]> {
    this.#check(known)
    const { store } = this
    this.appends++
    const before = store.writers.get(writer)
    if (before?.number !== number) {
      const verdicts = messages.map(({ channel, payload }): Verdict => {
        const place = { epoch: store.epoch, seq: ++store.head, time: Date.now() }
        store.items.push({ ...place, channel, payload })
        if (payload.mark === 'reopen') store.reopened.set(channel, place.seq)
        return { ...place, repeated: false }
      })
      store.writers.set(writer, { number, verdicts })
    }
    if (this.faults-- > 0) throw new Error('cut off')
    return store.writers.get(writer)!.verdicts
  }

  async read(after: Cursor, signal: AbortSignal) {
    for (let i = 0; i < 100 && this.store.after(after).length === 0 && !signal.aborted; i++) await turn()
    await this.gate
    const items = this.store.after(after)
    return { items: items.slice(0, 7), more: items.length > 7 }
  }

  async state(known?: string): Promise<State> {
    this.#check(known)
    const { epoch, head: seq } = this.store
    return { epoch, seq, now: Date.now() }
  }

  async history(known?: string): Promise<History> {
    const state = await this.state(known)
    const { start, ancestors, floors, forgotten } = this.store
    return { ...state, start, ancestors: [...ancestors], floors: new Map(floors), forgotten }
  }

  /** An end whose channel was reopened is a message. */
  async kept(after: number): Promise<readonly Stored[]> {
    const { kept, reopened } = this.store
    return kept
      .filter(({ seq }) => seq > after)
      .slice(0, 3)
      .map((each) => {
        const { kind, json } = each.payload
        return (reopened.get(each.channel) ?? 0) > each.seq ? { ...each, payload: { kind, json } } : each
      })
  }

  async trim({ epoch, seq, kept, gone, floors, forgotten }: Trim): Promise<number | undefined> {
    const { store } = this
    if (epoch !== store.epoch) return undefined
    for (const [channel, floor] of floors) {
      store.floors.set(channel, Math.max(floor, store.floors.get(channel) ?? 0))
    }
    store.forgotten = Math.max(store.forgotten, forgotten)
    const moved = store.items.filter((item) => !('turn' in item) && kept.includes(item.seq)) as Stored[]
    store.kept = [...store.kept, ...moved].filter((item) => !gone.includes(item.seq))
    store.start = Math.max(store.start, seq)
    store.items = store.items.filter((item) => item.seq > store.start)
    return store.start
  }

  async close(): Promise<void> {}
}
