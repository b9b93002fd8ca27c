import type { Front } from './front.ts'
import type { Launch, Place } from './launch.ts'

/** A proxy: how it is configured, and what comes through it. */
export interface Kind {
  readonly name: string
  /** The command. */
  readonly program: string
  /** As docs/deploying.md shows it. */
  readonly documented: (place: Place) => Launch
  /** With nothing said that is not needed to lead to the app, by a name for each. */
  readonly plain: Readonly<Record<string, (place: Place) => Launch>>
  readonly front: (place: Place) => Front
  /** Fastify's `trustProxy`, as the documentation has it. */
  readonly trustProxy: string | false
  /** Whether it sees HTTP, and not only bytes. */
  readonly http: boolean
  /** Whether `/sse` is answered with 200 and a `retry:` while the app is away. */
  readonly retries: boolean
}
