/// <reference lib="dom" />
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import type { Browser } from 'playwright-core'
import type { Test } from 'tap'
import { type ServerOptions, serve, urlOf } from '../demo/server.ts'
import { ROOT } from './child.ts'

const PUBLIC = join(ROOT, 'demo', 'public')
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
}

/** The app, which closes with the test. */
export async function startPage(t: Test, options: ServerOptions = {}) {
  const app = await serve({ port: 0, logLevel: 'silent', ...options })
  t.teardown(() => app.close())
  return { app, url: urlOf(app) }
}

/** The page in a browser of its own storage; what goes wrong in it is collected in `faults`. */
export async function openPage(t: Test, browser: Browser, url: string, width = 1280) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, locale: 'en' })
  t.teardown(() => context.close())
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', (message) => {
    // The client says so once wherever SSE carries over HTTP/1.1.
    if (['error', 'warning'].includes(message.type()) && !/six tabs with sse/.test(message.text()))
      faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('request', (request) => {
    if (!['data:', 'blob:'].includes(new URL(request.url()).protocol)) {
      if (new URL(request.url()).host !== new URL(url).host) faults.push(request.url())
    }
  })
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== new URL(url).host) faults.push(socket.url())
  })
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`)
  })
  // What loads the tests marks the functions in those that go to the page.
  await page.addInitScript({ content: 'globalThis.__name = (marked) => marked' })
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      console.error(`CSP: ${violatedDirective} ${blockedURI}`)
    })
  })
  await page.goto(url)
  return { page, faults, context }
}

/** A server of files and of nothing else, as any host has one: it knows no header of ours. */
export async function serveFiles(t: Test, prefix = '/'): Promise<string> {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url!, 'http://host')
    const path = normalize(pathname.endsWith('/') ? `${pathname}index.html` : pathname)
    try {
      if (!path.startsWith(prefix) || request.method !== 'GET') throw new Error('not here')
      const body = await readFile(join(PUBLIC, path.slice(prefix.length)))
      response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream').end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`
}
