import t from 'tap'
import { openSocket, openStream } from '../../helper.ts'
import { ask } from '../../request.ts'
import { seqOf } from '../judge.ts'
import { nextId, publishOnce } from '../publisher.ts'
import { moment, NO_FILE } from '../server.ts'
import { logOf, Stage } from '../stage.ts'
import { faults } from './table.ts'

faults(t, {
  async 'SIGKILL of Redis under always: streams stay, publishes get 503, and nothing is lost'(t) {
    const stage = await Stage.set(t, {})
    const { cursor } = await stage.mark()
    const [instance] = stage.instances
    const { url } = instance!
    const socket = await openSocket(t, `${url}/ws?channel=a&cursor=now`)
    await socket.json()
    const stream = await openStream(t, `${url}/sse?channel=a&cursor=now`)
    await stream.next()
    await stage.publisher.more(50)
    await stage.redis.kill()

    const refused = await publishOnce(url, 'a', nextId(), 'during')
    t.match([refused.status, refused.json.code], [503, 'TIDINGS_ERR_UNAVAILABLE'])
    t.match(refused.headers['retry-after'], /^[1-9]\d*$/)
    socket.send({ type: 'publish', channel: 'b', data: { id: nextId() }, ref: 7 })
    let frame = await socket.json()
    while (frame.type !== 'error') frame = await socket.json()
    t.match(frame, { ref: 7, code: 'TIDINGS_ERR_UNAVAILABLE' })
    t.equal((await ask(`${url}/stats`)).json.bus.connected, false)
    t.equal(
      (await ask(`${url}/longpoll?channel=a&wait=1&cursor=now`)).status,
      204,
      'held to the end of its wait',
    )
    t.equal((await ask(`${url}/poll?channel=a&cursor=earliest`)).status, 200, 'reads go on from memory')
    t.equal(socket.ws.readyState, socket.ws.OPEN)

    await stage.redis.up()
    await stage.publisher.more(50)
    t.equal((await ask(`${url}/stats`)).json.bus.connected, true)
    const { status } = await ask(`${url}/poll?channel=a&channel=b&cursor=${cursor}`)
    t.equal(status, 200, 'an old cursor')
    t.equal(socket.ws.readyState, socket.ws.OPEN)
    await stage.conclude()
    stream.close()
    await stream.ended
    t.notOk(stream.rest.some(({ event }) => event === 'gap'))
    t.ok(stream.rest.length > 20, 'the stream went on')
    t.ok(stage.publisher.refused.has(503))
  },

  async 'FLUSHALL: one gap epoch before anything new, and the keys are forgotten'(t) {
    const stage = await Stage.set(t, { load: false })
    await startsOver(t, stage, () => stage.redis.call('FLUSHALL'))
  },

  async 'a restart without a file: one gap epoch before anything new, and the keys are forgotten'(t) {
    const stage = await Stage.set(t, { load: false, redis: NO_FILE })
    await startsOver(t, stage, async () => {
      await stage.redis.kill()
      await stage.redis.up()
    })
  },

  async 'an older file is restored: places past it have one gap ahead at the fork, others none'(t) {
    const stage = await Stage.set(t, { load: false })
    for (let i = 0; i < 20; i++) await stage.publisher.publish()
    const fork = await stage.mark()
    const restore = stage.redis.copy()
    for (let i = 0; i < 20; i++) await stage.publisher.publish()
    const lost = await stage.mark()
    await stage.redis.kill()
    restore()
    await stage.redis.up()
    // Nobody publishes, and everybody is told all the same.
    await Promise.all(stage.readers.map((reader) => toldOf(reader.judge.gaps)))
    const seq = seqOf(fork.cursor)
    const { url } = stage.instances[0]!
    const past = await ask(`${url}/poll?channel=a&cursor=${lost.cursor}`)
    t.match([past.status, past.json.reason], [410, 'ahead'])
    t.equal(seqOf(past.json.cursor), seq)
    t.equal((await ask(`${url}/poll?channel=a&channel=b&cursor=${fork.cursor}`)).status, 204)
    for (let i = 0; i < 60; i++) await stage.publisher.publish()
    const later = await ask(`${url}/poll?channel=a&cursor=${lost.cursor}`)
    t.match([later.status, later.json.reason], [410, 'ahead'], 'also where the log has passed it')
    t.equal(seqOf(later.json.cursor), seq)
    t.equal((await ask(`${url}/poll?channel=b&cursor=${fork.cursor}`)).status, 200)
    await stage.conclude({
      gaps: () => [`ahead ${seq}`],
      lost: ({ cursor }) => cursor.startsWith(`${lost.cursor.split('.')[0]}.`) && seqOf(cursor) > seq,
    })
  },

  async 'maxmemory: 503, no part of a batch in the log, and it goes on afterwards'(t) {
    const stage = await Stage.set(t, { load: false })
    await stage.mark()
    const [instance] = stage.instances
    const before = await logOf(instance!.url)
    await stage.redis.call('CONFIG', 'SET', 'maxmemory', '1')
    const answers = await instance!.publish(
      ...Array.from({ length: 100 }, () => ({ channel: 'a', data: { id: nextId() } })),
    )
    for (const answer of answers) t.match(answer, { code: 'TIDINGS_ERR_UNAVAILABLE' })
    t.equal((await publishOnce(instance!.url, 'a', nextId())).status, 503)
    t.strictSame(await logOf(instance!.url), before)
    await stage.redis.call('CONFIG', 'SET', 'maxmemory', '0')
    const { cursor } = await stage.mark()
    t.equal(seqOf(cursor), before.length + 1, 'nothing stands between')
    await stage.conclude()
  },
})

/** Resolves once there is a gap. */
async function toldOf(gaps: readonly unknown[]): Promise<void> {
  while (gaps.length === 0) await moment()
}

async function startsOver(t: import('tap').Test, stage: Stage, lose: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < 10; i++) await stage.publisher.publish()
  const key = nextId()
  const first = await publishOnce(stage.base, 'b', key, 'a key')
  t.equal(first.status, 201)
  await stage.all(key)
  const old = first.json.cursor as string
  await lose()
  // Within seconds, and though nobody publishes.
  await Promise.all(stage.readers.map((reader) => toldOf(reader.judge.gaps)))
  const { url } = stage.instances[1]!
  const gone = await ask(`${url}/poll?channel=a&cursor=${old}`)
  t.match([gone.status, gone.json.reason], [410, 'epoch'])
  const again = await publishOnce(stage.base, 'b', key, 'a key')
  t.equal(again.status, 201, 'the key is forgotten')
  t.equal(seqOf(again.json.cursor), 1)
  for (let i = 0; i < 20; i++) await stage.publisher.publish()
  const passed = await ask(`${url}/poll?channel=a&cursor=${old}`)
  t.match([passed.status, passed.json.reason], [410, 'epoch'], 'also where the log has passed it')
  await stage.conclude({
    gaps: () => ['epoch 0'],
    lost: ({ cursor }) => cursor.startsWith(`${old.split('.')[0]}.`),
  })
}
