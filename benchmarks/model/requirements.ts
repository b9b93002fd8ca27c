/** The requirements of a workload, and their defaults. */

export type Transport = 'poll' | 'longpoll' | 'sse' | 'ws'

/** Times are in seconds. */
export interface Requirements {
  readonly subscribers: number
  /** Messages per second to each subscriber. */
  readonly rate: number
  /** Messages per second from each subscriber. */
  readonly back: number
  readonly payload: number
  /** Maximum p99 latency. */
  readonly latency: number
  readonly rtt: number
  readonly http: '1.1' | '2'
  /** Pages open at once in one browser. */
  readonly tabs: number
  /** Idle timeout of proxies between clients and server. */
  readonly proxyIdle: number
}

/** Prices per month, in any currency. */
export interface Prices {
  /** One gigabyte of egress. */
  readonly gigabyte: number
  /** One core at full load. */
  readonly core: number
}

/** Bytes of a client's request header lines, by transport. */
export type RequestHeaders = Readonly<Record<'poll' | 'longpoll', number>>

/** Defaults of the command and of the demo page. */
export const DEFAULT_REQUIREMENTS: Requirements = {
  subscribers: 1000,
  rate: 0.1,
  back: 0,
  payload: 200,
  latency: 0.5,
  rtt: 0.04,
  http: '1.1',
  tabs: 1,
  proxyIdle: 60,
}

/** Bytes of the header lines that Chromium sends with a poll to a server with a name of average length. */
export const BROWSER_HEADERS = 512
