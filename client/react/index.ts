import { useEffect, useState, useSyncExternalStore } from 'react'
import type { Message } from '../types.ts'
import { type FoldOptions, MessageReducer } from './message-reducer.ts'
import { type FeedOptions, FeedStore, type FeedView } from './store.ts'

export type * from '../types.ts'
export type { FoldOptions } from './message-reducer.ts'
export type { Connect, FeedOptions, FeedView } from './store.ts'

/**
 * Reads a log for as long as the component is mounted. Options may be written in place: they are compared by their
 * values, functions are taken as they were rendered last. Another `channels` (or any other value) connects anew and
 * goes on at the cursor; another address or another `cursor` starts there.
 * @param url where the plugin stands; on the server nothing is connected
 */
export function useFeed<T = unknown>(url: string | URL, options: FeedOptions = {}): FeedView<T> {
  const [store] = useState(() => new FeedStore<T>(url, options))
  // Before the store is watched: what watches it connects.
  useEffect(() => store.update(url, options))
  return useSyncExternalStore(store.watch, store.view, store.view)
}

/**
 * Folds the messages of a feed into a state, from the component's mount on. Each message goes through `reduce` once.
 * @param reduce gives the next state; as it was rendered last
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
