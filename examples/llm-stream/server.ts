// A language model's answer that survives reloads and a change of network: node --import tsx examples/llm-stream/server.ts
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import Fastify, { type FastifyInstance } from 'fastify'
import tidings from 'fastify-tidings'

const PAGE = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>Answer</title>
  <form><input name="prompt" required> <button>Ask</button></form>
  <p></p>
  <script>
    const text = document.querySelector('p')
    let source
    function follow(id) {
      source?.close()
      text.textContent = ''
      // All tokens so far, then the new ones. After a disconnect the browser resumes.
      source = new EventSource('live/sse?channel=answer:' + id + '&cursor=earliest')
      source.onmessage = ({ data }) => text.append(JSON.parse(data).data)
      source.addEventListener('end', () => source.close())
    }
    document.querySelector('form').onsubmit = async (event) => {
      event.preventDefault()
      const body = JSON.stringify({ prompt: event.target.prompt.value })
      const answer = await fetch('answers', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      location.hash = (await answer.json()).id
      follow(location.hash.slice(1))
    }
    if (location.hash) follow(location.hash.slice(1))
  </script>
</html>`

/** A stand-in for a model. Yields the answer token by token. */
async function* think(prompt: string): AsyncGenerator<string> {
  for (const word of `You asked: ${prompt}. Let me think about it. It depends.`.split(/(?= )/)) {
    await sleep(50)
    yield word
  }
}

/** @param model yields the tokens of an answer */
export async function build(model = think, logger = false): Promise<FastifyInstance> {
  const app = Fastify({ logger })
  await app.register(tidings, { prefix: '/live', retention: { messages: 100_000 } })

  /** Continues even if nobody reads. */
  async function answer(id: string, prompt: string): Promise<void> {
    const channel = `answer:${id}`
    let tokens = 0
    try {
      for await (const token of model(prompt)) {
        await app.tidings.publish(channel, token)
        tokens++
      }
      await app.tidings.end(channel, { tokens })
    } catch (error) {
      app.log.error(error)
      await app.tidings.end(channel, { tokens, error: 'The model failed' })
    }
  }

  app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(PAGE))
  app.post<{ Body: { prompt: string } }>(
    '/answers',
    {
      schema: { body: { type: 'object', required: ['prompt'], properties: { prompt: { type: 'string' } } } },
    },
    (request, reply) => {
      // Whoever knows the id may read.
      const id = randomUUID()
      void answer(id, request.body.prompt)
      return reply.code(202).send({ id })
    },
  )
  return app
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await (await build(think, true)).listen({ port: Number(process.env.PORT ?? 3000) })
}
