import { type Browser, chromium } from 'playwright-core'
import type { Test } from 'tap'
import { needs } from './needs.ts'

/** The first one has the same engine without a browser's windows: a page costs it a third of the CPU. */
const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']

/**
 * Chromium, which ends with the test; the variable CHROMIUM may name another. Where there is none the test is skipped,
 * aloud; in CI it fails.
 * @returns undefined where the test is to return at once
 */
export async function openBrowser(t: Test): Promise<Browser | undefined> {
  const { CHROMIUM } = process.env
  const executablePath = needs(t, ...(CHROMIUM ? [CHROMIUM] : NAMES))
  if (executablePath === undefined) return undefined
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  t.teardown(() => browser.close())
  return browser
}
