import { createParser } from 'eventsource-parser'

/** What an application was handed, up to where the stream was cut. */
export interface Heard {
  messages: { event: string; data: string }[]
  /** What the parser would send as Last-Event-ID when it comes back. */
  id: string
  /** Messages without data. */
  empty: number
}

/** A parser of server-sent events: what it hands out of the first part of a stream. */
export type Parser = (text: string) => Heard

/** As a browser's EventSource does (WHATWG HTML, "Interpreting an event stream"): the id is taken with the event. */
export const native: Parser = (text) => {
  const heard: Heard = { messages: [], id: '', empty: 0 }
  let [event, data, id] = ['', '', '']
  const lines = text.split(/\r\n|\r|\n/)
  lines.pop()
  for (const line of lines) {
    if (line === '') {
      heard.id = id
      if (data !== '') heard.messages.push({ event: event || 'message', data: data.slice(0, -1) })
      ;[event, data] = ['', '']
      continue
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line)!
    if (name === 'event') event = value!
    else if (name === 'data') data += `${value}\n`
    else if (name === 'id') id = value!
  }
  return heard
}

/** A parser of the npm registry's, which takes the id with the event. */
export const library: Parser = (text) => {
  const heard: Heard = { messages: [], id: '', empty: 0 }
  const parser = createParser({
    onEvent({ event = 'message', data, id }) {
      heard.messages.push({ event, data })
      if (id !== undefined) heard.id = id
    },
  })
  parser.feed(text)
  return heard
}

/** One that takes an id at its line, and hands out an event at each empty line, whether there was data or not. */
export const careless: Parser = (text) => {
  const heard: Heard = { messages: [], id: '', empty: 0 }
  let event: { event: string; data: string | undefined } = { event: 'message', data: undefined }
  const lines = text.split(/\r\n|\r|\n/)
  lines.pop()
  for (const line of lines) {
    if (line === '') {
      if (event.data === undefined) heard.empty++
      else heard.messages.push({ event: event.event, data: event.data })
      event = { event: 'message', data: undefined }
      continue
    }
    const colon = line.indexOf(':')
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    if (name === 'event') event.event = value
    else if (name === 'data') event.data = event.data === undefined ? value : `${event.data}\n${value}`
    else if (name === 'id') heard.id = value
  }
  return heard
}
