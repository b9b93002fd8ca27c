/**
 * The story of each transport: what is done, and which words stand on which arrow. All that is shown happens.
 *
 * @typedef {object} Scene
 * @property {import('./lane.js').Lane} lane
 * @property {AbortSignal} signal
 * @property {number} pace how many times as long as usual each pause takes
 * @property {(ms: number) => Promise<void>} pause
 * @property {(number: number | string) => Promise<unknown>} publish
 */

/** @type {Record<string, (scene: Scene) => Promise<void>>} */
export const scripts = { poll, longpoll, sse, ws }

/** Waits for arrows of a lane, and counts questions and answers. */
function follow({ lane, signal }, captionOf) {
  const counts = {}
  const waiting = []
  lane.caption = (arrow) => {
    counts[arrow.direction] = (counts[arrow.direction] ?? 0) + 1
    return captionOf(arrow, counts[arrow.direction])
  }
  lane.heard = (arrow) => {
    for (const each of [...waiting]) if (each.pass(arrow, counts)) each.resolve()
  }
  return {
    /** Resolves with the first arrow from now on that passes. */
    until: (pass) =>
      new Promise((resolve, reject) => {
        const end = () => reject(signal.reason)
        signal.addEventListener('abort', end, { once: true })
        const entry = {
          pass,
          resolve: () => {
            signal.removeEventListener('abort', end)
            waiting.splice(waiting.indexOf(entry), 1)
            resolve()
          },
        }
        waiting.push(entry)
      }),
  }
}

/** Asks, nothing; asks, nothing; asks, the server grows weary; asks, here you are; asks, nothing. */
async function poll(scene) {
  const { lane, pace, publish } = scene
  const arrows = follow(scene, ({ direction, act }, count) =>
    direction === 'up' ? `lesson.poll.ask${count}` : `lesson.poll.${act === 'yes' ? 'yes' : 'no'}${count}`,
  )
  const answered = (number) =>
    arrows.until(({ direction }, { down }) => direction === 'down' && down === number)
  const third = answered(3)
  const fifth = answered(5)
  lane.start({ pollInterval: 2600 * pace })
  await third
  await publish(1)
  await fifth
  lane.stop()
}

/** Asks once and says that it waits; the server holds on, answers when there is news, and is asked again. */
async function longpoll(scene) {
  const { lane, pace, pause, publish } = scene
  const arrows = follow(scene, ({ direction, act }, count) =>
    direction === 'up'
      ? `lesson.longpoll.ask${count}`
      : `lesson.longpoll.${act === 'yes' ? 'yes' : 'no'}${count}`,
  )
  const asked = (number) => arrows.until(({ direction }, { up }) => direction === 'up' && up === number)
  const [second, third, fourth] = [asked(2), asked(3), asked(4)]
  lane.start({ pollInterval: 1600 * pace })
  await second
  await pause(3500)
  await publish(1)
  await third
  await pause(2500)
  await publish(2)
  await fourth
  await pause(1200)
  lane.stop()
}

/** One question, and an answer that goes on. */
async function sse(scene) {
  const { lane, pause, publish } = scene
  const arrows = follow(scene, ({ act }) =>
    ['listen', 'stream', 'ready', 'push'].includes(act) ? `lesson.sse.${act}` : undefined,
  )
  const ready = arrows.until(({ act }) => act === 'ready')
  lane.start()
  await ready
  for (const number of [1, 2]) {
    await pause(2200)
    const pushed = arrows.until(({ act }) => act === 'push')
    await publish(number)
    await pushed
  }
  await pause(1500)
  lane.stop()
}

/** Asks to switch; the server confirms; "push me what comes"; then four pushes with no question in between. */
async function ws(scene) {
  const { lane, signal, pause, publish } = scene
  const known = ['switch', 'switched', 'ready', 'subscribe', 'subscribed', 'push']
  const arrows = follow(scene, ({ act }) => (known.includes(act) ? `lesson.ws.${act}` : undefined))
  const ready = arrows.until(({ act }) => act === 'ready')
  // A bare socket, so that each of its frames is to be seen; it asks for its channel by a frame of its own.
  const socket = new WebSocket(`${lane.url.href.replace(/^http/, 'ws')}/ws?channel=`, ['tidings'])
  try {
    await ready
    await pause(1800)
    const subscribed = arrows.until(({ act }) => act === 'subscribed')
    socket.send(JSON.stringify({ type: 'subscribe', channel: lane.channel }))
    await subscribed
    for (const number of [1, 2, 3, 4]) {
      await pause(number === 1 ? 1800 : 1100)
      signal.throwIfAborted()
      const pushed = arrows.until(({ act }) => act === 'push')
      await publish(number)
      await pushed
    }
    await pause(1200)
  } finally {
    socket.close()
  }
}
