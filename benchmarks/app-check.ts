import { UsageError } from './options.ts'

/**
 * Checks whether the app responds as the readers expect.
 * @throws UsageError that names the missing feature
 */
export async function checkApp({ href }: URL): Promise<void> {
  const base = href.replace(/\/$/, '')
  const ask = async (path: string, init?: RequestInit) => {
    try {
      const response = await fetch(`${base}/${path}?channel=bench-probe`, init)
      return { status: response.status, text: await response.text() }
    } catch (error) {
      const { code, message } = ((error as Error).cause ?? error) as NodeJS.ErrnoException
      throw new UsageError(`--url '${href}' can't be reached (${code ?? message})`)
    }
  }
  const poll = await ask('poll')
  if (poll.status !== 200 || !poll.text.startsWith('{"cursor":"')) {
    throw new UsageError(
      `--url '${href}' is not an app with fastify-tidings: GET ${base}/poll returned ${poll.status}; if the plugin has a prefix, add it to the URL`,
    )
  }
  const { status } = await ask('publish', {
    method: 'POST',
    body: 'probe',
    headers: { 'content-type': 'text/plain' },
  })
  if (status !== 201) {
    throw new UsageError(
      `--url '${href}' does not let clients publish: POST ${base}/publish returned ${status}; set the plugin's option publish: true`,
    )
  }
}
