/** Types of the parts of autocannon that the benchmark uses. autocannon has no types. */
declare module 'autocannon' {
  interface Shot {
    readonly requests: { readonly mean: number; readonly total: number }
    readonly latency: { readonly p50: number; readonly p99: number }
    readonly throughput: { readonly mean: number }
    readonly errors: number
    readonly non2xx: number
  }
  export default function autocannon(options: {
    readonly url: string
    readonly connections: number
    readonly duration: number
  }): PromiseLike<Shot>
}
