import t from 'tap'
import { asker, streamer, talker } from './clients.ts'
import { type Made, transportSuite } from './transport.suite.ts'

const made: Made[] = [false, true].flatMap((raw) => {
  const form = raw ? ' raw' : ''
  return [
    { name: `poll${form}`, raw, make: asker('/poll', raw) },
    { name: `longpoll${form}`, raw, make: asker('/longpoll', raw) },
    { name: `sse${form}`, raw, make: streamer(raw) },
    { name: `ws${form}`, raw, make: talker(raw) },
  ]
})

for (const each of made) transportSuite(t, each, made)
