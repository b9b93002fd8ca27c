import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** Packages that only the benchmark needs: optional peers, loaded when they are needed. */

export class MissingPeer extends Error {
  constructor(name: string) {
    super(`The benchmark needs the package ${name}: npm install ${name}`)
  }
}

/** @param importing loads the package @throws MissingPeer */
export async function load<T>(name: string, importing: () => Promise<T>): Promise<T> {
  try {
    return await importing()
  } catch (cause) {
    if (!/MODULE_NOT_FOUND$/.test((cause as NodeJS.ErrnoException).code ?? '')) throw cause
    throw new MissingPeer(name)
  }
}

/** What of a histogram is used. */
export interface Histogram {
  recordValue(value: number): void
  getValueAtPercentile(percentile: number): number
}

/** @returns what makes a histogram of microseconds, up to an hour, with three digits */
export async function histograms(): Promise<() => Histogram> {
  const { build } = await load('hdr-histogram-js', () => import('hdr-histogram-js'))
  return () => build({ highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: 3 })
}

/** What of autocannon is used. */
export interface Shot {
  readonly requests: { readonly mean: number; readonly total: number }
  readonly latency: { readonly p50: number; readonly p99: number }
  readonly throughput: { readonly mean: number }
  readonly errors: number
  readonly non2xx: number
}

type Shoot = (options: { url: string; connections: number; duration: number }) => PromiseLike<Shot>

/** @returns what asks as often as it can */
export async function autocannon(): Promise<Shoot> {
  return (await load('autocannon', () => import('autocannon'))).default
}

/** @returns script and style of uPlot, for a page that holds them */
export async function uplotFiles(): Promise<[script: string, style: string]> {
  const entry = await load('uplot', async () => createRequire(import.meta.url).resolve('uplot'))
  const read = (name: string) => readFile(join(dirname(entry), name), 'utf8')
  return Promise.all([read('uPlot.iife.min.js'), read('uPlot.min.css')])
}
