// A job's progress bar that ends with its result: node --import tsx examples/progress/server.ts
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import Fastify, { type FastifyInstance } from 'fastify'
import tidings from 'fastify-tidings'

const PAGE = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>Job</title>
  <button>Start</button> <progress value="0"></progress> <output></output>
  <script>
    const bar = document.querySelector('progress')
    const output = document.querySelector('output')
    function follow(id) {
      // The current state first, even if the page is opened late.
      const source = new EventSource('live/sse?channel=job:' + id + '&cursor=last:1')
      source.onmessage = ({ data }) => {
        const { done, of } = JSON.parse(data).data
        bar.value = done / of
      }
      source.addEventListener('end', ({ data }) => {
        source.close()
        bar.value = 1
        output.textContent = JSON.stringify(JSON.parse(data).data)
      })
    }
    document.querySelector('button').onclick = async () => {
      location.hash = (await (await fetch('jobs', { method: 'POST' })).json()).id
      follow(location.hash.slice(1))
    }
    if (location.hash) follow(location.hash.slice(1))
  </script>
</html>`

const STEPS = 20

/** @param step runs one of twenty parts of a job */
export async function build(
  step: (part: number) => Promise<void> = () => sleep(200),
  logger = false,
): Promise<FastifyInstance> {
  const app = Fastify({ logger })
  // Keep only the last state of a job.
  await app.register(tidings, { prefix: '/live', retention: { rules: { 'job:': { messages: 1 } } } })

  async function work(id: string): Promise<void> {
    const channel = `job:${id}`
    try {
      for (let done = 0; done < STEPS; done++) {
        await app.tidings.publish(channel, { done, of: STEPS })
        await step(done)
      }
      await app.tidings.end(channel, { result: `of ${id}` })
    } catch (error) {
      app.log.error(error)
      await app.tidings.end(channel, { error: 'The job failed' })
    }
  }

  app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(PAGE))
  app.post('/jobs', (_request, reply) => {
    const id = randomUUID()
    void work(id)
    return reply.code(202).send({ id })
  })
  return app
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await (await build(undefined, true)).listen({ port: Number(process.env.PORT ?? 3000) })
}
