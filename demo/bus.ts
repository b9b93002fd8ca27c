import type { Accepted, Bus } from '../bus/bus.ts'
import type { Log } from '../bus/log.ts'
import type { Payload } from '../bus/payload.ts'

/** A bus whose log can start over, as it does when a process is killed and started again. */
export class RestartableBus implements Bus {
  readonly #make: () => Bus
  #bus: Bus

  constructor(make: () => Bus) {
    this.#make = make
    this.#bus = make()
  }

  get log(): Log {
    return this.#bus.log
  }

  publish(channel: string, payload: Payload, key?: string, publisher?: string): Promise<Accepted> {
    return this.#bus.publish(channel, payload, key, publisher)
  }

  /** An empty log of a new epoch. Who still reads the old one hears nothing more: end them. */
  restart(): void {
    const before = this.#bus
    this.#bus = this.#make()
    void before.close()
  }

  close(): Promise<void> {
    return this.#bus.close()
  }
}
