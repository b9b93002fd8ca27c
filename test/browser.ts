import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import type { Test } from 'tap'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** Chromium where it is found: CHROMIUM, else a name of it on the path. */
function find(): string | undefined {
  const { CHROMIUM, PATH = '' } = process.env
  const folders = ['/usr/bin', ...PATH.split(delimiter)]
  const candidates = CHROMIUM
    ? [CHROMIUM]
    : NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * A browser that ends with the test. Where there is none the test is skipped, aloud; in CI it fails.
 * @returns undefined where the test is to return at once
 */
export async function openBrowser(t: Test): Promise<Browser | undefined> {
  const executablePath = find()
  if (executablePath === undefined) {
    const why = 'no Chromium is found: install it, or name it in CHROMIUM'
    if (process.env.CI === 'true') t.fail(why)
    else t.pass(why, { skip: why })
    return undefined
  }
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
