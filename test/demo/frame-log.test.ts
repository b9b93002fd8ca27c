import Fastify from 'fastify'
import t from 'tap'
import { logFrames } from '../../demo/frame-log.ts'
import tidings from '../../index.ts'
import { listen, openSocket } from '../helper.ts'

t.test('each frame is logged once, in the log of its own app, a long one cut', async (t) => {
  const apps = await Promise.all(
    [0, 1].map(async () => {
      const lines: { frame?: string; path?: string; level?: number }[] = []
      const app = Fastify({ logger: { stream: { write: (line) => void lines.push(JSON.parse(line)) } } })
      t.teardown(() => app.close())
      logFrames(app)
      await app.register(tidings, { publish: true, echo: true })
      return { lines, ...(await listen(app)) }
    }),
  )
  for (const { url } of apps) {
    const client = await openSocket(t, `${url}/ws`)
    await client.json()
    client.send(`{"type":"ping"${' '.repeat(2000)}}`)
    await client.json()
    const echo = await openSocket(t, `${url}/echo`)
    echo.send(Buffer.of(1))
    await echo.frame()
  }
  for (const { lines } of apps) {
    t.strictSame(
      lines.filter(({ frame }) => frame !== undefined).map(({ frame, path, level }) => [level, path, frame]),
      [
        [30, '/ws', `{"type":"ping"${' '.repeat(986)}`],
        [30, '/echo', '1 bytes'],
      ],
    )
  }
})
