import type { Accepted, Bus, Payload } from 'fastify-tidings'

/** A bus whose log can start over, as it does when a process is killed and started again. */
export class RestartableBus implements Bus {
  readonly #make: () => Bus
  #bus: Bus

  constructor(make: () => Bus) {
    this.#make = make
    this.#bus = make()
  }

  get log(): Bus['log'] {
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
