/**
 * The types of messages by channel, for `publish`, `subscribe` and the client's `connect`. Extend it by declaration
 * merging:
 *
 *     declare module 'fastify-tidings' {
 *       interface TidingsChannels {
 *         news: { title: string }
 *       }
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: programs fill it
export interface TidingsChannels {}

/** The message type of a channel; `unknown` if it is not declared. */
export type DataOf<C extends string> = C extends keyof TidingsChannels ? TidingsChannels[C] : unknown
