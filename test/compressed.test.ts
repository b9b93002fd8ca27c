// The same tests with every message compressed, on both transports that can: option `compression`.
process.env.TIDINGS_TEST_COMPRESSED = '1'

const { default: t } = await import('tap')
const { asker, streamer, talker } = await import('./clients.ts')
const { build, openSocket, openStream } = await import('./helper.ts')
const { transportSuite } = await import('./transport.suite.ts')

t.test('they are compressed', async (t) => {
  const { url } = await build(t)
  t.equal((await openStream(t, `${url}/sse`)).response.headers.get('content-encoding'), 'gzip')
  t.equal((await openSocket(t, `${url}/ws`)).ws.extensions, 'permessage-deflate')
})

const made = [false, true].flatMap((raw) => {
  const form = raw ? ' raw' : ''
  return [
    { name: `sse${form}`, raw, make: streamer(raw) },
    { name: `ws${form}`, raw, make: talker(raw) },
  ]
})
const poll = { name: 'poll', raw: false, make: asker('/poll', false) }

for (const each of made) transportSuite(t, each, [...made, poll])

await import('./routes/ws-subscribe.test.ts')

export {}
