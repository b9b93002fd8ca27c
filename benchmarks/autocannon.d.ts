/** It has no types of its own; those of what is used stand in peers.ts. */
declare module 'autocannon' {
  export default function autocannon(options: {
    readonly url: string
    readonly connections: number
    readonly duration: number
  }): PromiseLike<import('./peers.ts').Shot>
}
