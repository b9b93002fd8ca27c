import t, { type Test } from 'tap'
import { build, live, until } from '../helper.ts'
import { careless, type Heard, library, native } from '../parsers.ts'
import { ask } from '../request.ts'

const MESSAGES = ['one', 'two\r\nlines', '', 'three: é']

/** A whole stream, from its first byte to its end: a hole, messages, heartbeats between them, and a shutdown. */
async function record(t: Test, format: string): Promise<string> {
  const { app, url } = await build(t, { heartbeat: { sse: 30 }, retention: { messages: 4 } })
  const { cursor } = await app.tidings.publish('default', 'trimmed')
  await app.tidings.publish('default', 'trimmed')
  for (const data of MESSAGES) await app.tidings.publish('default', data)
  const start = cursor.replace(/1$/, '0')
  const response = await fetch(`${url}/sse?cursor=${start}${format}`)
  let text = ''
  const reading = (async () => {
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) text += part
  })()
  await live(app, 1)
  for (const data of ['live', { json: 1 }]) {
    const { length } = text
    await until(() => text.slice(length).includes('\n:\n'))
    await app.tidings.publish('default', data)
  }
  await until(() => /live[\s\S]*json/.test(text))
  await app.close()
  await reading
  return text
}

for (const format of ['', '&format=raw']) {
  t.test(`a stream cut at any place${format}`, async (t) => {
    const text = await record(t, format)
    t.match(text, /^event: ready\nretry: [0-9]+\nid: \S+\ndata: \{"cursor":"\S+"\}\n\n/)
    t.match(text, /\n\nevent: gap\ndata: \{"reason":"trimmed","cursor":"(\S+)"\}\nid: \1\n\n/)
    t.match(text, /\n\nretry: [0-9]+\n$/, 'what a shutdown says')
    t.match(text, /\n\n:\n(?::\n)*data: /)
    t.notMatch(text, /:\n\n/, 'no comment in front of an empty line')
    const whole = native(text)
    t.equal(whole.messages.length, MESSAGES.length + 4)

    /** Where each event, by its place in the stream, leaves a client's id. */
    const ids = [...text.matchAll(/^id: (\S+)$/gm)].map(([, id]) => id!)
    t.equal(ids.length, whole.messages.length)
    for (const [parser, losses] of [
      [native, 0],
      [library, 0],
      // One place for each event: between the end of its last line and that of the empty one.
      [careless, ids.length - 1],
    ] as const) {
      let lost = 0
      let empty = 0
      for (let cut = 0; cut <= text.length; cut++) {
        const heard: Heard = parser(text.slice(0, cut))
        empty += heard.empty
        // It comes back, and goes on behind its id: what stands before that and was not handed out is lost.
        if (heard.messages.length < ids.lastIndexOf(heard.id) + 1 && ids.indexOf(heard.id) > 0) lost++
        if (heard.messages.some((message, i) => message.data !== whole.messages[i]!.data)) {
          t.fail(`a part of an event was handed out, cut at ${cut}`)
        }
      }
      t.equal(lost, losses, `${parser.name}: ${lost} of ${text.length} places lose an event`)
      t.equal(empty, 0, `${parser.name}: no message is empty`)
    }
  })
}

t.test('what refuses a stream is no message', async (t) => {
  const { url } = await build(t, { maxReaders: 0 })
  const { text } = await ask(`${url}/sse`)
  t.match(text, /^retry: [0-9]+\n$/)
  for (const parser of [native, library, careless]) {
    t.strictSame(parser(text), { messages: [], id: '', empty: 0 }, parser.name)
  }
})
