/** Limits of a log. */
export interface Retention {
  /** Maximum messages per channel. @default 10000 */
  messages?: number
  /**
   * Maximum age of a message, in milliseconds of the monotonic clock, which stops while the machine is
   * suspended. Messages may stay for up to 2 % longer. Infinity: no limit. @default 3600000
   */
  age?: number
  /**
   * Maximum memory of the log, in bytes: messages, channels (empty ones too) and idempotency keys. Above it, the log
   * removes its oldest message first. @default 67108864
   */
  bytes?: number
  /** Maximum number of empty channels whose trim position is kept. @default 10000 */
  channels?: number
  /**
   * Limits for some channels, by name, for example `{ 'prices.': { messages: 1 } }`. A name that ends with one of
   * `. _ : ~ -` is a prefix. The longest match applies. Limits that a rule omits are those of the other channels.
   */
  rules?: Readonly<Record<string, Rule>>
}

/** Limits for some channels. */
export interface Rule {
  /** Maximum messages per channel. */
  messages?: number
  /** Maximum age of a message, in milliseconds. */
  age?: number
}

/** `Retention` with defaults filled in. */
export type RetentionSettings = Required<Omit<Retention, 'rules'>> & Pick<Retention, 'rules'>
