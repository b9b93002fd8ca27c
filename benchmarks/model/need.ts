/** What is asked for, and what is assumed where nothing else is said. */

export type Way = 'poll' | 'longpoll' | 'sse' | 'ws'

/** Times in seconds. */
export interface Need {
  readonly subscribers: number
  /** Messages a second to each. */
  readonly rate: number
  readonly payload: number
  /** The delay that 99 of 100 messages may have. */
  readonly latency: number
  readonly rtt: number
  readonly http: '1.1' | '2'
  /** Pages of one browser at once. */
  readonly tabs: number
  /** After which a proxy on the way cuts an idle connection. */
  readonly proxyIdle: number
}

/** Of a month, in any currency. */
export interface Prices {
  /** A gigabyte that leaves the server. */
  readonly gigabyte: number
  /** A core that is busy all the time. */
  readonly core: number
}

/** Bytes of the header lines that a client sends with a request of each kind. */
export type RequestHeaders = Readonly<Record<'poll' | 'longpoll', number>>

/** What is assumed where nothing else is said: of the command and of the page alike. */
export const USUAL: Need = {
  subscribers: 1000,
  rate: 0.1,
  payload: 200,
  latency: 0.5,
  rtt: 0.04,
  http: '1.1',
  tabs: 1,
  proxyIdle: 60,
}

/** Bytes of the header lines that Chromium sends with a poll to a server with a name of usual length. */
export const BROWSER_HEADERS = 512
