import { failuresOf } from '../failures.ts'
import { hdrHistogram } from '../hdr-histogram.ts'
import { machine } from '../machine.ts'
import { exchangeHeaders, pushHeaders, tlsRecords } from '../model/bytes.ts'
import { pollDelay } from '../model/poll.ts'
import { type Variant, variantOf, type Workload } from '../plan.ts'
import { exchangeBytes } from '../residual.ts'
import { measure, type RoundResult } from '../round-result.ts'
import { show, table } from '../table.ts'
import { Testbed } from '../testbed.ts'

/**
 * Reproduces published comparisons: `npm run bench:reproductions`. Prints the published figures beside the measured
 * ones, and explains differences.
 */

const BASE: Workload = {
  subscribers: 10,
  channels: 'shared',
  rate: 4,
  payload: 30,
  wait: 25,
  session: 600,
  profile: 'minimal',
  rtt: 0,
}
/** The one-way delay of Pimentel and Nickerson, in milliseconds. */
const ONE_WAY = 40.3
const PAUSE = 0.15
/** Seconds per measurement. */
const DURATION = 20
const SEED = 1
/** Bytes per message beside the payload in the stream of Appelqvist and Örnmyr. */
const THEIRS = 8

const said: string[] = []
const disturbed: string[] = []

function say(text: string): void {
  said.push(text)
}

/** The full output: machine and validity first. */
function written(date: Date): string {
  const { cores, cpu, platform, kernel, node } = machine()
  const validity =
    disturbed.length === 0
      ? 'all rounds are valid'
      : `do not cite these figures\n${disturbed.map((text) => `- ${text}`).join('\n')}`
  return `# Published comparisons, reproduced

\`npm run bench:reproductions\`, ${date.toISOString()}, ${cores} cores of ${cpu}, ${platform} ${kernel}, Node ${node}, seed ${SEED}. One round of ${DURATION} s each, with ${BASE.subscribers} subscribers.
Validity: ${validity}

\`\`\`text
${said.join('').trimEnd()}
\`\`\`
`
}

async function main(): Promise<void> {
  const testbed = new Testbed({ heat: 20_000 })
  const round = async (variant: Variant, more: Partial<Workload>): Promise<RoundResult> => {
    const plan = {
      section: 'reproduction',
      block: 0,
      variant,
      workload: { ...BASE, ...more },
      warmup: 1,
      duration: DURATION,
      seed: SEED,
      server: 0,
      lenient: false,
    }
    const measured = measure(await testbed.run(plan), hdrHistogram)
    for (const { text } of failuresOf(measured)) {
      disturbed.push(text)
      process.exitCode = 1
    }
    return measured
  }
  try {
    await pimentel(round)
    await appelqvist(round)
    kaazing()
    process.stdout.write(written(new Date()))
  } finally {
    await testbed.end()
  }
}

type Run = (variant: Variant, more: Partial<Workload>) => Promise<RoundResult>

async function pimentel(run: Run): Promise<void> {
  const rtt = 2 * ONE_WAY
  const poll: Variant = { name: 'poll, 150 ms pause', kind: 'poll', interval: PAUSE, pause: true }
  const ws = variantOf('ws')
  const [polled, pushed] = [await run(poll, { rtt }), await run(ws, { rtt })]
  const oneWay = ONE_WAY / 1e3
  const model = pollDelay({ rate: 4, oneWay, cycles: [PAUSE + 2 * oneWay] }) * 1e3
  say(
    `Pimentel & Nickerson 2012: 4 messages/s, one way ${ONE_WAY} ms; ms from acceptance to delivery\n${table(
      ['', 'published', 'measured', 'model'],
      [
        [poll.name, '151.3', show(polled.accepted?.mean), show(model)],
        ['WebSocket', '40.3', show(pushed.accepted?.mean), show(ONE_WAY)],
      ],
    )}Sequential polling takes 2d + pause / 2, slightly more than published. This measurement also includes the timers of the\ndelay proxy and of both processes.\n\n`,
  )
}

async function appelqvist(run: Run): Promise<void> {
  const rows: string[][] = []
  for (const [payload, published] of [
    [30, 'about 13'],
    [5000, 'about 1.1'],
  ] as const) {
    const held = (await run(variantOf('longpoll'), { payload })).bytes!
    const streamed = (await run(variantOf('sse'), { payload })).bytes!
    rows.push([
      `${payload} bytes`,
      show(held.both),
      show(streamed.both),
      show(held.both / streamed.both),
      show((held.both - held.envelope) / (payload + THEIRS)),
      published,
    ])
  }
  say(
    `Appelqvist & Örnmyr 2017: bytes per message, long poll divided by SSE\n${table(['payload', 'long poll', 'SSE', 'ratio', 'as published', 'published'], rows)}The published SSE adds ${THEIRS} bytes per message. Here, the id line and the chunk add about 30, and both transports\nadd the envelope, so the ratio is lower for small payloads. "As published" divides the long poll without its envelope\nby the payload plus ${THEIRS} bytes. The remaining difference is the request, which has only a Host header here.\n\n`,
  )
}

/** Computed like the original: one update per second to each client. */
function kaazing(): void {
  const workload: Workload = { ...BASE, profile: 'browser' }
  const { request, empty } = exchangeBytes('poll', workload)
  const answer = empty - request
  const rows = [1000, 10_000, 100_000].map((clients) => {
    const megabits = (bytes: number) => show((clients * bytes * 8) / 1e6)
    const poll = empty + exchangeHeaders(request, answer)
    const frame = 2 + pushHeaders(2)
    return [
      clients.toLocaleString('en-US'),
      megabits(871),
      megabits(empty),
      megabits(poll),
      megabits(poll + tlsRecords(request) + tlsRecords(answer)),
      megabits(2),
      megabits(frame),
      megabits(frame + tlsRecords(2)),
    ]
  })
  say(
    `Kaazing: megabits/s of headers alone, one update per second to each client; 871 bytes per poll as published, ${empty} here\n(Chromium)\n${table(
      ['clients', '871', 'here', '+ TCP/IP', '+ TLS', 'frame of 2', '+ TCP/IP', '+ TLS'],
      rows,
    )}With TCP/IP headers, the 2 bytes of a frame take ${2 + pushHeaders(2)} bytes on the network.\n`,
  )
}

await main()
