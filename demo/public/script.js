import { t } from './i18n.js'

/**
 * The script of each part: its actions, and the captions of its arrows. Everything shown is real traffic. A caption is
 * chosen by what an arrow does and by the captions before it, so that it stays true whatever else goes over the lane.
 * Other arrows keep their usual texts.
 *
 * @typedef {import('./scene.js').Scene} Scene
 * @typedef {import('./arrow.js').Arrow} Arrow
 * @type {Record<string, (scene: Scene) => Promise<any>>}
 */
export const scripts = { poll, longpoll, sse, ws, cross }

/** Returns each key once, in order, then undefined. */
function inTurn(...keys) {
  return () => keys.shift()
}

/** The messages of one part, in the language at its start. */
class News {
  /** How many were published. */
  count = 0
  #scene
  #texts = ['lesson.news.1', 'lesson.news.2', 'lesson.news.3', 'lesson.news.4'].map((key) => t(key))

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene
  }

  /** Publishes the next one. */
  publish() {
    return this.#scene.publish(this.#texts[this.count++])
  }

  /** Whether an arrow carries one of them, and nothing else. @param {Arrow} arrow */
  in({ act, news }) {
    return ['yes', 'push'].includes(act) && this.#texts.includes(news)
  }
}

/** Three polls in vain, one with a message, and one more in vain. */
async function poll(scene) {
  const { lane, pace } = scene
  const news = new News(scene)
  const ask = inTurn('lesson.poll.ask1', 'lesson.poll.ask2', 'lesson.poll.ask3', 'lesson.poll.ask4')
  const no = inTurn('lesson.poll.no1', 'lesson.poll.no2', 'lesson.poll.no3')
  const [yes, thanks, since] = [
    inTurn('lesson.poll.yes4'),
    inTurn('lesson.poll.ask5'),
    inTurn('lesson.poll.no5'),
  ]
  let told = false
  let thanked = false
  lane.caption = (arrow) => {
    if (arrow.act === 'ask') {
      thanked ||= told
      return told ? thanks() : ask()
    }
    if (arrow.act === 'no') return thanked ? since() : told ? undefined : no()
    if (news.count > 0 && arrow.count > 0) told = true
    return news.in(arrow) ? yes() : undefined
  }
  let answers = 0
  const third = scene.arrow(({ direction }) => direction === 'down' && ++answers === 3)
  lane.start({ pollInterval: 2600 * pace })
  await third
  const answered = scene.arrow(({ direction }) => direction === 'down' && thanked)
  await news.publish()
  await answered
}

/** The server holds each request until there is a message. */
async function longpoll(scene) {
  const { lane, pace } = scene
  const news = new News(scene)
  const [hello, here] = [inTurn('lesson.longpoll.ask1'), inTurn('lesson.longpoll.no1')]
  const ask = [inTurn('lesson.longpoll.ask2'), inTurn('lesson.longpoll.ask3'), inTurn('lesson.longpoll.ask4')]
  const yes = inTurn('lesson.longpoll.yes2', 'lesson.longpoll.yes3')
  let told = 0
  let held = false
  lane.caption = (arrow) => {
    if (arrow.act === 'ask') return hello()
    if (arrow.act === 'hold') {
      held = true
      return ask[told]?.()
    }
    if (arrow.act === 'no') return held ? undefined : here()
    if (arrow.count > 0) told = news.count
    return news.in(arrow) ? yes() : undefined
  }
  const waits = () => scene.arrow(({ act }) => act === 'hold')
  let waiting = waits()
  lane.start({ pollInterval: 1600 * pace })
  await waiting
  for (const number of [1, 2]) {
    await scene.pause(number === 1 ? 3500 : 2500)
    waiting = waits()
    await news.publish()
    await waiting
  }
  await scene.pause(1200)
}

/** One request, and a response without end. */
async function sse(scene) {
  const { lane } = scene
  const news = new News(scene)
  const once = {
    listen: inTurn('lesson.sse.listen'),
    stream: inTurn('lesson.sse.stream'),
    ready: inTurn('lesson.sse.ready'),
  }
  lane.caption = (arrow) => (news.in(arrow) ? 'lesson.sse.push' : once[arrow.act]?.())
  const ready = scene.arrow(({ act }) => act === 'ready')
  lane.start()
  await ready
  for (let number = 1; number <= 2; number++) {
    await scene.pause(2200)
    await news.publish()
  }
  await scene.pause(1500)
}

/** The handshake, a subscription, and four pushes without a request. */
async function ws(scene) {
  const { lane, signal } = scene
  const news = new News(scene)
  const once = {
    switch: inTurn('lesson.ws.switch'),
    switched: inTurn('lesson.ws.switched'),
    ready: inTurn('lesson.ws.ready'),
    subscribe: inTurn('lesson.ws.subscribe'),
    subscribed: inTurn('lesson.ws.subscribed'),
  }
  lane.caption = (arrow) => (news.in(arrow) ? 'lesson.ws.push' : once[arrow.act]?.())
  // A plain WebSocket, so that each frame is visible. It subscribes with a frame of its own.
  const socket = new WebSocket(`${lane.url.href.replace(/^http/, 'ws')}/ws?channel=`, ['tidings'])
  const frame = (type) => scene.until(socket, 'message', ({ data }) => JSON.parse(data).type === type)
  const close = scene.needs(socket)
  const hear = ({ data }) => {
    const message = JSON.parse(data)
    // Envelopes have no type.
    if (message.type === undefined) lane.got(message)
  }
  socket.addEventListener('message', hear, { signal })
  try {
    await frame('ready')
    lane.say('lane.status.1')
    await scene.pause(1800)
    const subscribed = frame('subscribed')
    socket.send(JSON.stringify({ type: 'subscribe', channel: lane.channel }))
    await subscribed
    for (const number of [1, 2, 3, 4]) {
      await scene.pause(number === 1 ? 1800 : 1100)
      await news.publish()
    }
    await scene.pause(1200)
  } finally {
    close()
  }
}

/** One message for all four. @returns {Promise<{ transport: string, delay: number }[]>} how late each heard it */
async function cross(scene) {
  const { lanes, pace } = scene
  // All lanes start at the same cursor, so earlier messages do not count as missed.
  const cursor = await scene.place()
  const open = lanes.map((lane) => scene.until(lane, 'open'))
  for (const lane of lanes) {
    lane.clear(cursor)
    lane.start({ pollInterval: 2000 * pace })
  }
  // Wait until each lane is connected, and short polling has sent a few requests.
  await Promise.all([...open, scene.pause(6000)])
  const heard = []
  await scene.publish(t('lesson.news.all'), ({ transport, delay }) => heard.push({ transport, delay }))
  await scene.pause(300)
  return heard
}
