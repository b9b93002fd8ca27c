import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { serve } from '../../demo/server.ts'
import { blocksOf, PAGES, type Page } from './pages.ts'

interface Step {
  command: string
  /** What it prints; nothing is shown of a command that goes on in the background. */
  answer: string
}

/** The commands of a page, and what it says that they print. */
function stepsOf(page: Page): Step[] {
  return blocksOf(page)
    .filter(({ info }) => info === 'console')
    .flatMap(({ code }) => code.split(/^\$ /m).slice(1))
    .map((part) => {
      const end = part.indexOf('\n')
      return { command: part.slice(0, end), answer: part.slice(end + 1).trim() }
    })
}

/** The pages' names for what is different each time. */
const EPOCH = 'k3f9xq2a'

function normalise(output: Buffer, epoch: string): string {
  return (
    output
      .toString('latin1')
      // The heads of WebSocket frames (RFC 6455 section 5.2)
      .replace(/\x81(?:\x7e[\s\S]{2}|[^\x7e-\xff])/g, '\n')
      .replaceAll('\r', '')
      .replace(/\n{3,}/g, '\n\n')
      .replaceAll(epoch, EPOCH)
      .replace(/"time":[0-9]{13}/g, '"time":1790000000000')
      .replace(/^Date: .* GMT$/gm, 'Date: Mon, 21 Sep 2026 14:13:20 GMT')
      .replace(/^retry: [0-9]{4}$/gm, 'retry: 2000')
      .trim()
  )
}

/** Runs it until it ends, or has printed as much as is expected: a stream goes on. */
async function run(command: string, enough: (output: Buffer) => boolean): Promise<Buffer> {
  const child = spawn('bash', ['-c', `exec ${command}`], { stdio: ['ignore', 'pipe', 'ignore'] })
  let output = Buffer.alloc(0)
  child.stdout.on('data', (bytes) => {
    output = Buffer.concat([output, bytes])
    if (enough(output)) child.kill()
  })
  await once(child, 'close')
  return output
}

for (const page of PAGES) {
  const steps = stepsOf(page)
  if (steps.length === 0) continue
  t.test(`each command of ${page.name} answers as it says`, async (t) => {
    const app = await serve({ port: 0, logLevel: 'silent' })
    t.teardown(() => app.close())
    const { port } = app.server.address() as { port: number }
    const { epoch } = app.tidings.bus.log
    for (const { command, answer } of steps) {
      const real = command.replaceAll('localhost:3000', `127.0.0.1:${port}`).replaceAll(EPOCH, epoch)
      if (command.endsWith('&')) {
        const child = spawn('bash', ['-c', real.slice(0, -1)], { stdio: 'ignore' })
        t.teardown(() => child.exitCode ?? once(child, 'close'))
        continue
      }
      const output = await run(real, (bytes) => normalise(bytes, epoch).length >= answer.length)
      t.equal(normalise(output, epoch), answer, command)
    }
  })
}

t.test('a command for each transport, and for what else there is', async (t) => {
  const commands = PAGES.flatMap(stepsOf).map(({ command }) => command)
  for (const part of ['/publish', '/poll', '/longpoll', '/sse', '/ws', 'format=raw', 'If-None-Match']) {
    t.ok(
      commands.some((command) => command.includes(part)),
      part,
    )
  }
})
