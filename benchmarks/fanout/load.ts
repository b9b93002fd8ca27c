import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { LatencyHistogram } from './latency-histogram.ts'
import type { TransportName } from './server.ts'

/*
 * The subscribers, in their own process. They count a marker byte on raw sockets, because a client library would use
 * more CPU than the server. The process triggers a publish by writing one byte to a control connection.
 */

export interface LoadOptions {
  transport: TransportName
  /** The implementation under test, which determines how long polling works. */
  server?: string
  port: number
  control: number
  readers: number
  channels: number
  /** Messages to publish after the cursor from which readers poll or replay. */
  fill: number
}

/** A measurement window. */
export interface Window {
  /** Outstanding publishes in a closed loop; a publish completes when every reader has received it. 0: an open loop. */
  outstanding: number
  /** Publishes per second in an open loop. */
  rate: number
  /** Milliseconds. */
  duration: number
  /** Whether to add the latencies to those of the previous window. */
  more?: boolean
}

export interface WindowCounts {
  published: number
  deliveries: number
  /** CPU time of the load process in microseconds. */
  cpu: number
  /** Length of the window in microseconds. */
  elapsed: number
  /** Latency in microseconds: from the trigger in a closed loop, from the planned time in an open loop. */
  p50: number
  p99: number
}

/** A byte that occurs in no header, envelope or frame length of this benchmark. */
const MARK = '!'.charCodeAt(0)
const now = (): number => Number(process.hrtime.bigint() / 1000n)

const start: LoadOptions = JSON.parse(process.argv[2]!)
const perMessage = start.readers / start.channels
/** For each publish, the trigger time or planned time, and the number of readers that received it. */
const asked: number[] = []
const reached: number[] = []
const received = new Int32Array(start.readers)
const histogram = new LatencyHistogram()
let deliveries = 0
let completed = 0
let onComplete: (count: number) => void = () => {}

/** One connection per outstanding publish, like independent publishers. */
const controls = Array.from({ length: 32 }, () => connect(start.control, '127.0.0.1').setNoDelay(true))
const ONE = Buffer.from([1])

/** @param at start of the latency. An open loop passes the planned time, even if it is late */
function publish(count: number, at: number = now()): void {
  for (let i = 0; i < count; i++) {
    controls[asked.length % controls.length]!.write(ONE)
    asked.push(at)
    reached.push(0)
  }
}

/** Records `count` more messages for reader `index`. */
function deliver(index: number, count: number): void {
  if (count === 0) return
  const at = now()
  deliveries += count
  let done = 0
  for (let i = 0; i < count; i++) {
    const message = received[index]!++ * start.channels + (index % start.channels)
    histogram.record(at - asked[message]!, 1)
    if (++reached[message]! === perMessage) done++
  }
  if (done > 0) {
    completed += done
    onComplete(done)
  }
}

function marks(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(MARK); at !== -1; at = bytes.indexOf(MARK, at + 1)) count++
  return count
}

function head(path: string, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${start.port}\r\n${more}\r\n`
}

/** Opens a stream and counts messages. Resolves on the first bytes. */
function stream(index: number, request: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(start.port, '127.0.0.1', () => socket.write(request))
    socket.setNoDelay(true)
    socket.on('error', reject)
    socket.on('data', (bytes) => {
      resolve()
      deliver(index, marks(bytes))
    })
  })
}

/** Long-polls in a loop. Each request continues at the cursor of the last response. */
function longpoll(index: number, channel: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let pending = Buffer.alloc(0)
    const ask = (cursor: string, more = '') =>
      socket.write(head(`/longpoll?channel=${channel}${cursor}`, more))
    // The server answers a request without a cursor immediately, so no later message can be missed.
    const socket: Socket = connect(start.port, '127.0.0.1', () => {
      ask('')
      // nchan holds a request without a cursor.
      if (start.server === 'nchan') setTimeout(resolve, 50)
    })
    socket.setNoDelay(true)
    socket.on('error', reject)
    socket.on('data', (bytes) => {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes])
      const end = pending.indexOf('\r\n\r\n')
      if (end === -1) return
      const length = /content-length: (\d+)/i.exec(pending.toString('latin1', 0, end))
      if (length !== null && pending.length < end + 4 + Number(length[1])) return
      if (start.server === 'nchan') {
        // The cursor of nchan is a pair of headers.
        const top = pending.toString('latin1', 0, end)
        const [, modified] = /last-modified: ([^\r]+)/i.exec(top)!
        const [, tag] = /etag: ([^\r]+)/i.exec(top)!
        const count = marks(pending)
        pending = Buffer.alloc(0)
        ask('', `If-Modified-Since: ${modified}\r\nIf-None-Match: ${tag}\r\n`)
        resolve()
        deliver(index, count)
        return
      }
      // The cursor is the first member of the body, or a header if there is no body.
      const cursor = /(?:\{"cursor":"|tidings-cursor: )([^"\r]+)/i.exec(
        pending.toString('latin1', 0, end + 64),
      )![1]!
      const count = marks(pending)
      pending = Buffer.alloc(0)
      ask(`&cursor=${cursor}`)
      resolve()
      deliver(index, count)
    })
  })
}

function open(index: number): Promise<void> {
  const channel = `c${index % start.channels}`
  if (start.transport === 'longpoll') return longpoll(index, channel)
  if (start.transport === 'sse') return stream(index, head(`/sse?channel=${channel}`))
  const key = randomBytes(16).toString('base64')
  const upgrade = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`
  return stream(index, head(`/ws?channel=${channel}`, upgrade))
}

/** The cursor before the messages to poll or replay. */
let before = ''

/** Publishes the messages to poll or replay, and waits until the cursor has advanced past all of them. */
async function fill(): Promise<void> {
  const ask = async (cursor: string) =>
    (
      await fetch(`http://127.0.0.1:${start.port}/poll?channel=c0${cursor}`, {
        headers: { connection: 'close' },
      })
    ).text()
  before = JSON.parse(await ask('')).cursor
  controls[0]!.write(Buffer.alloc(start.fill, 1))
  if (start.fill === 0) return
  let last = ''
  do {
    await new Promise((resolve) => setTimeout(resolve, 20))
    last = JSON.parse(await ask('')).cursor
  } while (Number(last.split('.')[1]) < Number(before.split('.')[1]) + start.fill)
}

/** Sends one request after another on a connection. Reads only the length of each response. */
async function pollOn(socket: Socket, request: string, end: number): Promise<number> {
  let left = 0
  let got = () => {}
  socket.on('data', (bytes) => {
    if (left === 0) {
      const at = bytes.indexOf('\r\n\r\n')
      const length = /content-length: (\d+)/i.exec(bytes.toString('latin1', 0, at))
      left = at + 4 + Number(length?.[1] ?? 0)
    }
    left -= bytes.length
    if (left === 0) got()
  })
  let answers = 0
  while (now() < end) {
    const at = now()
    await new Promise<void>((resolve) => {
      got = resolve
      socket.write(request)
    })
    histogram.record(now() - at, 1)
    answers++
  }
  return answers
}

/** Polls in a closed loop on a few connections. */
async function polls({ duration, more }: Window): Promise<WindowCounts> {
  const request = head(`/poll?channel=c0&cursor=${before}`)
  const sockets = Array.from({ length: start.readers }, () =>
    connect(start.port, '127.0.0.1').setNoDelay(true),
  )
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  if (!more) histogram.clear()
  const began = now()
  const cpu = process.cpuUsage()
  const each = await Promise.all(sockets.map((socket) => pollOn(socket, request, began + duration * 1000)))
  for (const socket of sockets) socket.destroy()
  const answers = each.reduce((sum, one) => sum + one, 0)
  return count(answers, answers, cpu, began)
}

/** Replays the log to all readers at once, then closes them. */
async function replay(): Promise<WindowCounts> {
  // Connect one by one before the first request: a busy server's accept queue would overflow.
  const sockets: Socket[] = []
  while (sockets.length < start.readers) {
    const socket = connect(start.port, '127.0.0.1').setNoDelay(true)
    await once(socket, 'connect')
    sockets.push(socket)
  }
  histogram.clear()
  const began = now()
  const cpu = process.cpuUsage()
  await Promise.all(
    sockets.map(async (socket) => {
      const key = randomBytes(16).toString('base64')
      const more = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`
      socket.write(head(`/ws?channel=c0&cursor=${before}`, more))
      let got = 0
      await new Promise<void>((resolve, reject) => {
        socket.on('error', reject)
        socket.on('data', (bytes) => {
          got += marks(bytes)
          if (got >= start.fill) resolve()
        })
      })
      histogram.record(now() - began, 1)
      socket.destroy()
    }),
  )
  const delivered = start.readers * start.fill
  return count(start.fill, delivered, cpu, began)
}

function count(
  published: number,
  delivered: number,
  cpuBefore: NodeJS.CpuUsage,
  began: number,
): WindowCounts {
  const { user, system } = process.cpuUsage(cpuBefore)
  return {
    published,
    deliveries: delivered,
    cpu: user + system,
    elapsed: now() - began,
    p50: histogram.quantile(0.5),
    p99: histogram.quantile(0.99),
  }
}

async function run(window: Window): Promise<WindowCounts> {
  const { outstanding, rate, duration, more } = window
  if (start.transport === 'poll') return polls(window)
  if (start.fill > 0) return replay()
  if (!more) histogram.clear()
  const counted = { deliveries, asked: asked.length }
  const began = now()
  const cpu = process.cpuUsage()
  const end = began + duration * 1000
  if (outstanding > 0) {
    onComplete = (done) => {
      if (now() < end) publish(done)
    }
    publish(outstanding)
  } else {
    for (let due = began, i = 1; due < end; due = began + (i++ * 1e6) / rate) {
      // Timers may fire early, so spin for the last two milliseconds.
      while (now() < due - 2000) await new Promise((resolve) => setTimeout(resolve, 1))
      while (now() < due) await new Promise((resolve) => setImmediate(resolve))
      publish(1, due)
    }
  }
  await new Promise<void>((resolve) => {
    const look = () => (completed === asked.length && now() >= end ? resolve() : setTimeout(look, 1))
    look()
  })
  onComplete = () => {}
  return count(asked.length - counted.asked, deliveries - counted.deliveries, cpu, began)
}

if (start.transport === 'poll' || start.fill > 0) await fill()
else {
  for (let i = 0; i < start.readers; i += 50) {
    await Promise.all(Array.from({ length: Math.min(50, start.readers - i) }, (_, j) => open(i + j)))
  }
}
process.on('message', async (window: Window) => process.send!(await run(window)))
process.on('disconnect', () => process.exit())
process.send!('ready')
