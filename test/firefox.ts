import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { needs } from './needs.ts'

/** What the tests ask of a page, in whichever browser. */
export interface PlainPage {
  goto(url: string): Promise<unknown>
  /** The value of an expression, which JSON can hold. */
  evaluate(expression: string): Promise<unknown>
}

export interface FirefoxOptions {
  /** `host:port` of a proxy for what is not over TLS, also for addresses of this machine. */
  readonly httpProxy?: string
  readonly acceptInsecureCerts?: boolean
}

/** Ports of this machine would go past a proxy. */
const PREFERENCES = 'user_pref("network.proxy.allow_hijacking_localhost", true);\n'

interface Reply {
  readonly id: number
  readonly error?: string
  readonly message?: string
  // biome-ignore lint/suspicious/noExplicitAny: of each command another
  readonly result: any
}

/**
 * A page in Firefox, which ends with the test: led over WebDriver BiDi, which Firefox speaks by itself. Where there is
 * none the test is skipped, aloud; in CI it fails.
 * @returns undefined where the test is to return at once
 * @see https://w3c.github.io/webdriver-bidi/
 */
export async function openFirefox(t: Test, options: FirefoxOptions = {}): Promise<PlainPage | undefined> {
  const program = needs(t, 'firefox-esr', 'firefox')
  if (program === undefined) return undefined
  const home = mkdtempSync(join(tmpdir(), 'tidings-'))
  writeFileSync(join(home, 'user.js'), PREFERENCES)
  const child = spawn(
    program,
    ['--headless', '--no-remote', '--profile', home, '--remote-debugging-port', '0'],
    { env: { ...process.env, HOME: home }, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const ended = once(child, 'exit')
  t.teardown(async () => {
    kill()
    await ended
    process.off('exit', kill)
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  })

  let said = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (part) => {
      said += part
      const line = /BiDi listening on (ws:\S+)/.exec(said)
      if (line) resolve(line[1]!)
    })
    child.once('exit', () => reject(new Error(`${program} ended: ${said}`)))
  })

  const socket = new WebSocket(`${url}/session`)
  await once(socket, 'open')
  const waiting = new Map<number, (reply: Reply) => void>()
  socket.on('message', (data) => {
    const reply = JSON.parse(String(data)) as Reply
    waiting.get(reply.id)?.(reply)
  })
  let last = 0
  const call = async (method: string, params: object) => {
    const id = ++last
    socket.send(JSON.stringify({ id, method, params }))
    const reply = await new Promise<Reply>((resolve) => waiting.set(id, resolve))
    waiting.delete(id)
    if (reply.error !== undefined) throw new Error(`${method}: ${reply.error}: ${reply.message}`)
    return reply.result
  }

  const { httpProxy, acceptInsecureCerts = false } = options
  await call('session.new', {
    capabilities: {
      alwaysMatch: {
        acceptInsecureCerts,
        ...(httpProxy && { proxy: { proxyType: 'manual', httpProxy } }),
      },
    },
  })
  const { contexts } = await call('browsingContext.getTree', {})
  const { context } = contexts[0]
  return {
    goto: (url) => call('browsingContext.navigate', { context, url, wait: 'complete' }),
    async evaluate(expression) {
      const { result, exceptionDetails } = await call('script.evaluate', {
        expression: `JSON.stringify(${expression})`,
        target: { context },
        awaitPromise: true,
      })
      if (exceptionDetails) throw new Error(exceptionDetails.text)
      return result.value === undefined ? undefined : JSON.parse(result.value)
    },
  }
}
