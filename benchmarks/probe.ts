import { UsageError } from './options.ts'

/**
 * Whether an app answers as the readers expect, before any of them asks.
 * @throws UsageError that says in one line what it does not do
 */
export async function probe({ href }: URL): Promise<void> {
  const base = href.replace(/\/$/, '')
  const ask = async (path: string, init?: RequestInit) => {
    try {
      const response = await fetch(`${base}/${path}?channel=bench-probe`, init)
      return { status: response.status, text: await response.text() }
    } catch (error) {
      const { code, message } = ((error as Error).cause ?? error) as NodeJS.ErrnoException
      throw new UsageError(`--url '${href}' can't be asked (${code ?? message})`)
    }
  }
  const poll = await ask('poll')
  if (poll.status !== 200 || !poll.text.startsWith('{"cursor":"')) {
    throw new UsageError(
      `--url '${href}' is no app with fastify-tidings: GET ${base}/poll answered ${poll.status}; if the plugin has a prefix, it belongs to the URL`,
    )
  }
  const { status } = await ask('publish', {
    method: 'POST',
    body: 'probe',
    headers: { 'content-type': 'text/plain' },
  })
  if (status !== 201) {
    throw new UsageError(
      `--url '${href}' lets nobody publish: POST ${base}/publish answered ${status}; the plugin needs the option publish: true`,
    )
  }
}
