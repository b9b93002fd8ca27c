/** Named sets of request headers besides `Host`. */
export type Profile = 'minimal' | 'fetch' | 'browser'

export const PROFILES: readonly Profile[] = ['minimal', 'fetch', 'browser']

type Transport = 'poll' | 'longpoll' | 'sse' | 'ws'

/** The headers of Node 20's fetch with `cache: 'no-store'`, as the client uses it. */
const FETCH = [
  'connection: keep-alive',
  'accept: */*',
  'accept-language: *',
  'sec-fetch-mode: cors',
  'user-agent: node',
  'pragma: no-cache',
  'cache-control: no-cache',
  'accept-encoding: gzip, deflate',
]

/** The headers of Chromium 150 on Linux over HTTP/1.1 for a same-origin page. ORIGIN is the page's origin. */
const AGENT =
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150.0.0.0 Safari/537.36'
const BRANDS = 'sec-ch-ua: "Not;A=Brand";v="8", "Chromium";v="150"'
const LAST = [
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Mode: cors',
  'Sec-Fetch-Dest: empty',
  'Referer: ORIGIN/',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-US,en;q=0.9',
]
const NO_CACHE = ['Pragma: no-cache', 'Cache-Control: no-cache']
const PLATFORM = 'sec-ch-ua-platform: "Linux"'
const MOBILE = 'sec-ch-ua-mobile: ?0'
const BROWSER_FETCH = [
  'Connection: keep-alive',
  ...NO_CACHE,
  PLATFORM,
  AGENT,
  BRANDS,
  MOBILE,
  'Accept: */*',
  ...LAST,
]
const BROWSER: Record<Transport, readonly string[]> = {
  poll: BROWSER_FETCH,
  longpoll: BROWSER_FETCH,
  sse: [
    'Connection: keep-alive',
    ...NO_CACHE,
    PLATFORM,
    AGENT,
    'Accept: text/event-stream',
    BRANDS,
    MOBILE,
    ...LAST,
  ],
  ws: [...NO_CACHE, AGENT, 'Origin: ORIGIN', ...LAST.slice(-2)],
}

/** Returns the header lines of a request, without the request line and the final empty line. */
export function headersOf(profile: Profile, kind: Transport, authority: string): string {
  const lines = profile === 'minimal' ? [] : profile === 'fetch' ? FETCH : BROWSER[kind]
  const own = lines.filter((line) => kind !== 'ws' || !/^connection:/i.test(line))
  return [`Host: ${authority}`, ...own]
    .map((line) => `${line.replace('ORIGIN', `http://${authority}`)}\r\n`)
    .join('')
}
