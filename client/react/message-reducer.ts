import type { Gap, Message } from '../types.ts'
import type { FeedStore } from './store.ts'

export interface FoldOptions<S> {
  /** Only the messages of this channel. @default all */
  channel?: string
  /** Returns the state after a gap. @default the state is unchanged */
  onGap?: (state: S, gap: Gap) => S
}

/** The state built from the messages of a feed. */
export class MessageReducer<T, S> {
  reduce: (state: S, message: Message<T>) => S
  options: FoldOptions<S>
  #state: S
  #store: FeedStore<T>
  /** Position when last hidden; undefined before the first mount. */
  #place: string | undefined

  constructor(
    store: FeedStore<T>,
    reduce: (state: S, message: Message<T>) => S,
    state: S,
    options: FoldOptions<S>,
  ) {
    this.#store = store
    this.reduce = reduce
    this.#state = state
    this.options = options
  }

  readonly state = (): S => this.#state

  /** @returns a function that ends the watch */
  readonly watch = (changed: () => void): (() => void) => {
    const store = this.#store
    const set = (state: S) => {
      if (Object.is(state, this.#state)) return
      this.#state = state
      changed()
    }
    const gap = (gap: Gap) => {
      const { onGap } = this.options
      if (onGap) set(onGap(this.#state, gap))
    }
    // The feed continued while the component was hidden.
    const { place: cursor } = store
    if (this.#place !== undefined && cursor !== undefined && cursor !== this.#place) {
      gap({
        reason: 'trimmed',
        cursor,
        from: this.#place,
        channel: undefined,
        advice: 'The component was hidden: load the current state, then resume from the cursor.',
      })
    }
    const end = store.listen({
      message: (message) => {
        const { channel } = this.options
        if (channel === undefined || channel === message.channel) set(this.reduce(this.#state, message))
      },
      gap,
    })
    return () => {
      end()
      this.#place = store.place ?? ''
    }
  }
}
