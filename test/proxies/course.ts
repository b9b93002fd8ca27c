import { setTimeout as wait } from 'node:timers/promises'
import { fetch, WebSocket } from 'undici'
import { type ConnectOptions, connect, type Transport } from '../../client/index.ts'
import { until } from '../helper.ts'
import type { Front } from './front.ts'
import type { Kind } from './kind.ts'
import type { Launch, Place } from './launch.ts'
import { type Ends, Stage } from './stage.ts'

/** What the default client made of a proxy. */
export interface Course {
  /** Milliseconds from `connect` to the message that was in the log. */
  first: number
  /** The transports that were tried before it. */
  tried: Transport[]
  /** Milliseconds from the publish to the listener, of messages that were published one by one: the median, the most. */
  median: number
  most: number
  /** Milliseconds from the proxy's return to the last of the messages that were published meanwhile. */
  back: number
  /** What it reads over at the end. */
  transport: Transport
  /** All that came, and what was told beside it. */
  data: number[]
  gaps: string[]
  readyState: number
}

/** Messages of a course: one that is kept, some one by one, some while the proxy is away, some when it is back. */
export const MESSAGES = 50
const AWAY = 25
const BACK = 45

/** What a browser has, behind this front: a fetch, and a WebSocket that says the page's origin. */
function browserLike(t: Ends, front: Front): Pick<ConnectOptions, 'fetch' | 'WebSocket'> {
  const dispatchers = { fetch: front.dispatcher('fetch'), socket: front.dispatcher('socket') }
  t.teardown(() => Promise.all(Object.values(dispatchers).map((each) => each.destroy())))
  class PageSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, { protocols, dispatcher: dispatchers.socket, headers: { origin: front.url } })
    }
  }
  return {
    fetch: ((url: string, init: object) =>
      fetch(url, { ...init, dispatcher: dispatchers.fetch })) as unknown as typeof globalThis.fetch,
    WebSocket: PageSocket as unknown as ConnectOptions['WebSocket'],
  }
}

/**
 * Leads the default client through a proxy, and through the proxy's restart.
 * @param quiet milliseconds in which nothing is published, four times
 */
export async function run(
  t: Ends,
  kind: Kind,
  configure: (place: Place) => Launch,
  quiet = 0,
): Promise<Course> {
  const stage = await Stage.set(t, kind, configure, { trustProxy: false })
  const publish = (data: number) => stage.app.tidings.publish('default', data)
  const data: number[] = []
  const gaps: string[] = []
  const took: number[] = []
  const tried = new Set<Transport>()
  let published = 0
  await publish(0)

  const began = performance.now()
  const feed = connect<number>(stage.front.url, { cursor: 'earliest', ...browserLike(t, stage.front) })
  t.teardown(() => feed.close())
  feed.onstatus = ({ transport }) => void tried.add(transport)
  feed.ongap = ({ reason }) => void gaps.push(reason)
  feed.onmessage = ({ data: each }) => {
    data.push(each)
    took.push(performance.now() - published)
  }
  tried.add(feed.transport)
  await until(() => data.length > 0)
  const course = { first: performance.now() - began, tried: [...tried] }

  for (let i = 1; i < AWAY; i++) {
    // Longer than the proxy bears.
    if (i % 6 === 0) await wait(quiet)
    published = performance.now()
    await publish(i)
    await until(() => data.length > i)
  }
  const times = took.slice(1).sort((a, b) => a - b)

  await stage.proxy.stop()
  for (let i = AWAY; i < BACK; i++) await publish(i)
  await stage.proxy.start()
  const returned = performance.now()
  for (let i = BACK; i < MESSAGES; i++) await publish(i)
  await until(() => data.length >= MESSAGES && feed.readyState === 1)
  return {
    ...course,
    median: times[times.length >> 1]!,
    most: times.at(-1)!,
    back: performance.now() - returned,
    transport: feed.transport,
    data,
    gaps,
    readyState: feed.readyState,
  }
}
