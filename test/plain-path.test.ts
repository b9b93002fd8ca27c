// The same tests where everything goes through Node's public API: option `fastPath: false`.
process.env.TIDINGS_TEST_PLAIN_PATH = '1'

await import('./transports.test.ts')
await import('./slow.test.ts')
await import('./heartbeat.test.ts')
await import('./routes/stats.test.ts')

export {}
