import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { serve, urlOf } from 'fastify-tidings-demo'
import { type CDPSession, chromium, type Page } from 'playwright-core'

/*
 * Soak test of the demo page and its server: messages at a constant rate in four lanes. Samples the memory of both
 * after garbage collection. The server runs in its own process.
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

/** Returns the bytes of the page's heap, and its number of DOM nodes. */
async function pageMemory(devtools: CDPSession): Promise<{ heap: number; nodes: number }> {
  await devtools.send('HeapProfiler.collectGarbage')
  const { metrics } = await devtools.send('Performance.getMetrics')
  const of = (name: string) => metrics.find((each) => each.name === name)!.value
  return { heap: of('JSHeapUsedSize'), nodes: of('Nodes') }
}

/** Records layout shifts and long tasks from the start of the page load. */
function observe(): void {
  const seen = { shift: 0, long: [] as number[] }
  Object.assign(globalThis, { seen })
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & {
      value: number
      hadRecentInput: boolean
    })[]) {
      if (!entry.hadRecentInput) seen.shift += entry.value
    }
  }).observe({ type: 'layout-shift', buffered: true })
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) seen.long.push(duration)
  }).observe({ type: 'longtask', buffered: true })
}

/** Returns the seconds of main thread work so far. */
async function mainThread(devtools: CDPSession): Promise<number> {
  const { metrics } = await devtools.send('Performance.getMetrics')
  return metrics.find(({ name }) => name === 'TaskDuration')!.value
}

/** Returns the tasks over 50 ms since the last call, in milliseconds. */
function longTasks(page: Page): Promise<number[]> {
  return page.evaluate(() => (globalThis as unknown as { seen: { long: number[] } }).seen.long.splice(0))
}

/** Returns a figure of each lane. */
async function figure(page: Page, name: string): Promise<string> {
  return (await page.locator(`.lane [data-figure="${name}"]`).allTextContents()).join(' ')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      rate: { type: 'string', default: '20' },
      plots: { type: 'boolean', default: false },
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
  await page.addInitScript(observe)
  await page.goto(url)
  await page.waitForFunction(() => document.documentElement.dataset.ready === 'true')
  await sleep(2000)
  const { ready, shift } = await page.evaluate(() => ({
    ready: performance.getEntriesByName('ready')[0]!.startTime,
    shift: (globalThis as unknown as { seen: { shift: number } }).seen.shift,
  }))
  await page.locator('#controls > summary').click()
  if (values.plots) await page.locator('#plots > summary').click()
  await page.locator('#rate').fill(values.rate)

  process.stdout.write(
    `${values.rate} messages/s in four lanes, Node ${process.version}, Chromium ${browser.version()}, plots ${values.plots ? 'open' : 'closed'}; ` +
      `ready after ${ready.toFixed(0)} ms, layout shift ${shift.toFixed(3)}; MB after garbage collection\n\n` +
      '| minute | server: heap | resident | page: heap | elements | main thread | tasks over 50 ms | longest, ms | missed | repeated | errors |\n' +
      '|---:|---:|---:|---:|---:|---:|---:|---:|---|---|---:|\n',
  )
  const start = performance.now()
  const minutes = Number(values.minutes)
  for (let minute = 1; minute <= minutes; minute++) {
    await longTasks(page)
    const [since, worked] = [performance.now(), await mainThread(devtools)]
    await sleep(start + minute * 60_000 - performance.now())
    const busy = ((await mainThread(devtools)) - worked) / ((performance.now() - since) / 1000)
    const long = await longTasks(page)
    child.send('memory')
    const [memory] = (await once(child, 'message')) as [Memory]
    const { heap, nodes } = await pageMemory(devtools)
    const cells = [
      minute,
      ...[memory.heap, memory.rss, heap].map((bytes) => (bytes / 1e6).toFixed(1)),
      nodes,
      `${(100 * busy).toFixed(1)} %`,
      long.length,
      Math.round(Math.max(0, ...long)),
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
