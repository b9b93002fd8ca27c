import { useEffect, useState, useSyncExternalStore } from 'react'
import type { Message } from '../types.ts'
import { type FoldOptions, MessageReducer } from './message-reducer.ts'
import { type FeedOptions, FeedStore, type FeedView } from './store.ts'

export type * from '../types.ts'
export type { FoldOptions } from './message-reducer.ts'
export type { Connect, FeedOptions, FeedView } from './store.ts'

/**
 * Reads a log while the component is mounted. Options may be written inline: they are compared by
 * value, and functions are taken from the last render. A changed option reconnects and
 * resumes at the cursor. A changed address or `cursor` starts at the new position.
 * @param url URL of the plugin's prefix; nothing connects on the server
 */
export function useFeed<T = unknown>(url: string | URL, options: FeedOptions = {}): FeedView<T> {
  const [store] = useState(() => new FeedStore<T>(url, options))
  // Before the store is watched: the first watcher connects.
  useEffect(() => store.update(url, options))
  return useSyncExternalStore(store.watch, store.view, store.view)
}

/**
 * Reduces the messages of a feed to a state. `reduce` receives each message once.
 * @param reduce returns the next state; taken from the last render
 * @param initial the state before the first message, and on the server
 */
export function useMessages<T, S>(
  view: FeedView<T>,
  reduce: (state: S, message: Message<T>) => S,
  initial: S,
  options: FoldOptions<S> = {},
): S {
  const { store } = view
  const [kept, keep] = useState(() => ({ store, fold: new MessageReducer(store, reduce, initial, options) }))
  let { fold } = kept
  if (kept.store !== store) {
    fold = new MessageReducer(store, reduce, initial, options)
    keep({ store, fold })
  }
  useEffect(() => {
    fold.reduce = reduce
    fold.options = options
  })
  return useSyncExternalStore(fold.watch, fold.state, fold.state)
}
