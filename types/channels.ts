/**
 * The types of messages by channel. A program extends it by declaration merging, and then `publish`, `subscribe` and
 * the client's `connect` know what a channel carries:
 *
 *     declare module 'fastify-tidings' {
 *       interface TidingsChannels {
 *         news: { title: string }
 *       }
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: programs fill it
export interface TidingsChannels {}

/** What a channel carries; unknown where nobody has said so. */
export type DataOf<C extends string> = C extends keyof TidingsChannels ? TidingsChannels[C] : unknown
