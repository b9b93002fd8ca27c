import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { serve, urlOf } from 'fastify-tidings-demo'
import { type CDPSession, chromium, type Page } from 'playwright-core'

/*
 * The page and its server, left to themselves: messages at a rate in four lanes with the plots open, and what both
 * hold in memory after a collection, sampled over the time. The server is a process of its own.
 */

interface Memory {
  readonly heap: number
  readonly rss: number
}

async function server(): Promise<void> {
  const app = await serve({ port: 0, logLevel: 'silent' })
  process.on('message', () => {
    globalThis.gc!()
    const { heapUsed, external, rss } = process.memoryUsage()
    process.send!({ heap: heapUsed + external, rss } satisfies Memory)
  })
  process.on('disconnect', () => process.exit())
  process.send!(urlOf(app))
}

/** Bytes of the page's heap, and the elements in it. */
async function pageMemory(devtools: CDPSession): Promise<{ heap: number; nodes: number }> {
  await devtools.send('HeapProfiler.collectGarbage')
  const { metrics } = await devtools.send('Performance.getMetrics')
  const of = (name: string) => metrics.find((each) => each.name === name)!.value
  return { heap: of('JSHeapUsedSize'), nodes: of('Nodes') }
}

/** A figure in the heading of each lane. */
async function figure(page: Page, name: string): Promise<string> {
  return (await page.locator(`.lane [data-figure="${name}"]`).allTextContents()).join(' ')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      rate: { type: 'string', default: '20' },
      executable: { type: 'string', default: '/usr/bin/chromium' },
    },
  })
  const child = fork(fileURLToPath(import.meta.url), ['server'], {
    execArgv: [...process.execArgv, '--expose-gc'],
  })
  const [url] = (await once(child, 'message')) as [string]
  const browser = await chromium.launch({
    executablePath: values.executable,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
  })
  const page = await browser.newPage({ locale: 'en' })
  let faults = 0
  page.on('console', (message) => {
    if (message.type() === 'error') faults++
  })
  page.on('pageerror', () => faults++)
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Performance.enable')
  await page.goto(url)
  for (const name of ['controls', 'plots']) await page.locator(`#${name} > summary`).click()
  await page.locator('#rate').fill(values.rate)

  process.stdout.write(
    `${values.rate} messages/s in four lanes, Node ${process.version}, Chromium ${browser.version()}; after a collection, MB\n\n` +
      '| minute | server: heap | resident | page: heap | elements | missed | repeated | errors |\n' +
      '|---:|---:|---:|---:|---:|---|---|---:|\n',
  )
  const start = performance.now()
  const minutes = Number(values.minutes)
  for (let minute = 1; minute <= minutes; minute++) {
    await sleep(start + minute * 60_000 - performance.now())
    child.send('memory')
    const [memory] = (await once(child, 'message')) as [Memory]
    const { heap, nodes } = await pageMemory(devtools)
    const cells = [
      minute,
      ...[memory.heap, memory.rss, heap].map((bytes) => (bytes / 1e6).toFixed(1)),
      nodes,
      await figure(page, 'missed'),
      await figure(page, 'repeated'),
      faults,
    ]
    process.stdout.write(`| ${cells.join(' | ')} |\n`)
  }
  await browser.close()
  child.disconnect()
}

if (process.argv[2] === 'server') await server()
else await main()
