import type { Front } from './front.ts'
import type { Launch, Place } from './launch.ts'

/** A proxy: how it is configured, and what comes through it. */
export interface Kind {
  readonly name: string
  /** The command. */
  readonly program: string
  /** As docs/deploying.md shows it. */
  readonly documented: (place: Place) => Launch
  /** With nothing said that is not needed to lead to the app. */
  readonly plain: readonly Plain[]
  readonly front: (place: Place) => Front
  /** Fastify's `trustProxy`, as the documentation has it. */
  readonly trustProxy: string | false
  /** Whether it sees HTTP, and not only bytes. */
  readonly http: boolean
  /** Whether `/sse` is answered with 200 and a `retry:` while the app is away. */
  readonly retries: boolean
}

/** A configuration that does not know of us. */
export interface Plain {
  readonly name: string
  readonly configure: (place: Place) => Launch
  /** Milliseconds after which it ends a connection on which nothing comes, where that is soon. */
  readonly patience?: number
}
