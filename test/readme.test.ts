import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Fastify from 'fastify'
import t from 'tap'
import tidings from '../index.ts'
import { ROOT, startApp } from './child.ts'

const readme = await readFile(join(ROOT, 'README.md'), 'utf8')

interface Step {
  command: string
  /** What it prints; nothing is shown of a command that goes on in the background. */
  answer: string
}

/** The commands of the README, and what it says that they print. */
function steps(): Step[] {
  const all: Step[] = []
  for (const [, block] of readme.matchAll(/```console\n(.*?)```/gs)) {
    for (const part of block!.split(/^\$ /m).slice(1)) {
      const end = part.indexOf('\n')
      all.push({ command: part.slice(0, end), answer: part.slice(end + 1).trim() })
    }
  }
  return all
}

/** The README's names for what is different each time. */
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

t.test('each command of the README answers as it says', async (t) => {
  const { url } = await startApp(t)
  let epoch = ''
  for (const { command, answer } of steps()) {
    const real = command.replaceAll('localhost:3000', new URL(url).host).replaceAll(EPOCH, epoch)
    if (command.endsWith('&')) {
      const child = spawn('bash', ['-c', real.slice(0, -1)], { stdio: 'ignore' })
      t.teardown(() => child.exitCode ?? once(child, 'close'))
      continue
    }
    const output = await run(real, (bytes) => normalise(bytes, epoch).length >= answer.length)
    epoch ||= /"cursor":"([^.]+)\.0"/.exec(output.toString())![1]!
    t.equal(normalise(output, epoch), answer, command)
  }
})

t.test('a command for each transport, and for what else there is', async (t) => {
  const commands = steps().map(({ command }) => command)
  for (const part of ['/publish', '/poll', '/longpoll', '/sse', '/ws', 'format=raw', 'If-None-Match']) {
    t.ok(
      commands.some((command) => command.includes(part)),
      part,
    )
  }
  t.ok(readme.includes('npm ci && npm start'))
  t.ok(readme.includes('npm ci && npm test'))
})

t.test('each option is in its table', async (t) => {
  const refused = (options: object) =>
    Promise.resolve(Fastify().register(tidings, options)).then(
      () => '',
      (error: Error) => error.message,
    )
  // What is said of an option that is not known names those that are.
  const known = async (options: object) =>
    /is not known; (.*) are$/.exec(await refused(options))![1]!.split(', ')
  const names = await known({ nope: 1 })
  t.ok(names.includes('authorize'))
  for (const group of ['retention', 'poll', 'longpoll', 'heartbeat', 'limits', 'slowConsumer']) {
    for (const name of await known({ [group]: { nope: 1 } })) names.push(`${group}.${name}`)
  }
  for (const name of names.filter((name) => !names.some((other) => other.startsWith(`${name}.`)))) {
    t.ok(readme.includes(`| \`${name}\` |`), name)
  }
})
