import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Histogram } from './histogram.ts'
import type { TransportName } from './server.ts'

/*
 * The readers, in a process of their own: raw sockets that count a mark in what they are sent, since a client library
 * would be busier than the server. It asks for publishes by a byte each on the server's control connections.
 */

export interface Start {
  transport: TransportName
  /** Whose way of long polling it is. */
  server?: string
  port: number
  control: number
  readers: number
  channels: number
  /** Messages that stand after the cursor that is polled from, or that are replayed. */
  fill: number
}

/** One window of load. */
export interface Window {
  /** Publishes outstanding in a closed loop (until every reader has it); 0: an open loop. */
  outstanding: number
  /** Publishes a second in an open loop. */
  rate: number
  /** Milliseconds. */
  duration: number
  /** Whether its latencies are counted with those of the window before. */
  more?: boolean
}

export interface Counted {
  published: number
  deliveries: number
  /** Microseconds of CPU that the load itself took. */
  cpu: number
  /** Microseconds that the window took. */
  elapsed: number
  /** Microseconds to having a message: from asking for it in a closed loop, from its planned time in an open one. */
  p50: number
  p99: number
}

/** In no head, no envelope, and no length of a frame of the sizes that are sent here. */
const MARK = '!'.charCodeAt(0)
const now = (): number => Number(process.hrtime.bigint() / 1000n)

const start: Start = JSON.parse(process.argv[2]!)
const perMessage = start.readers / start.channels
/** When each publish was asked for, or planned, and how many readers have it. */
const asked: number[] = []
const reached: number[] = []
const received = new Int32Array(start.readers)
const histogram = new Histogram()
let deliveries = 0
let completed = 0
let onComplete: (count: number) => void = () => {}

/** Each outstanding publish comes on a connection of its own, as from publishers that know nothing of each other. */
const controls = Array.from({ length: 32 }, () => connect(start.control, '127.0.0.1').setNoDelay(true))
const ONE = Buffer.from([1])

/** @param at what its delay is counted from: the time for which an open loop has planned it, however late that is */
function publish(count: number, at: number = now()): void {
  for (let i = 0; i < count; i++) {
    controls[asked.length % controls.length]!.write(ONE)
    asked.push(at)
    reached.push(0)
  }
}

/** Reader `index` has been sent `count` more messages. */
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

/** A stream: whatever comes is counted. Open when the other side has said something. */
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

/** A long poll: one request after another, each at the cursor of the last answer. */
function longpoll(index: number, channel: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let pending = Buffer.alloc(0)
    const ask = (cursor: string, more = '') =>
      socket.write(head(`/longpoll?channel=${channel}${cursor}`, more))
    // Without a cursor it is given one at once: what is published from then on can't be missed.
    const socket: Socket = connect(start.port, '127.0.0.1', () => {
      ask('')
      // It holds what has no place yet.
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
        // Its place in the channel is a pair of headers.
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
      // The first member of the body; or, of an answer that has none, a header.
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

/** The cursor before the messages that are polled or replayed. */
let before = ''

/** Publishes what is to be found after a cursor. The bytes of the body of an answer that has them all tell that it is done. */
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

/** One answer after another on a connection, without a look into it but for its length. */
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

/** Polls as fast as the answers come, on a few connections. */
async function polls({ duration, more }: Window): Promise<Counted> {
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

/** Reads what is kept, from a cursor before it all, with every reader at once; closes them again. */
async function replay(): Promise<Counted> {
  // All are connected before the first asks: a busy server's queue of connections would overflow.
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

function count(published: number, delivered: number, cpuBefore: NodeJS.CpuUsage, began: number): Counted {
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

async function run(window: Window): Promise<Counted> {
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
      // Timers may fire early: the last stretch is spun.
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
