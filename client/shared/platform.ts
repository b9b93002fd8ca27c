import type { TabMessage } from './tab-message.ts'

/** The part of Web Locks that is used. @see https://w3c.github.io/web-locks/ */
export interface LocksLike {
  request(
    name: string,
    options: { steal?: boolean; signal?: AbortSignal },
    run: () => Promise<void>,
  ): Promise<unknown>
}

/** The part of BroadcastChannel that is used. */
export interface ChannelLike {
  onmessage: ((event: { data: TabMessage }) => void) | null
  postMessage(note: TabMessage): void
  close(): void
}

/** Globals that browsers have in a secure context, and Node has in part. */
export const platform = globalThis as unknown as {
  readonly BroadcastChannel?: new (name: string) => ChannelLike
  readonly navigator?: { readonly locks?: LocksLike }
  readonly crypto: { readonly subtle?: object }
}

/** Whether tabs can find each other here. */
export function canShare(): boolean {
  return !!platform.BroadcastChannel && !!platform.navigator?.locks && !!platform.crypto.subtle
}
