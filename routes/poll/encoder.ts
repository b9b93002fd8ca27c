import type { Batch, Encoder } from '../../bus/batch.ts'

/** Characters up to which a page is left a text: node:http joins it with the head into one write. */
const SMALL_PAGE = 4096

/** The body of a poll's answer. */
export const page: Encoder<Buffer | string> = {
  name: 'page',
  encode(batch) {
    const text = `{"cursor":"${batch.cursor}","messages":[${envelopes(batch)}],"more":${batch.more}${endedOf(batch)}}`
    return text.length <= SMALL_PAGE ? text : Buffer.from(text)
  },
}

function envelopes(batch: Batch): string {
  let text = ''
  for (const entry of batch.entries) {
    // An end without data is told by `ended` alone.
    if (entry.bare) continue
    if (text !== '') text += ','
    text += entry.end ? `${batch.envelopeOf(entry).slice(0, -1)},"end":true}` : batch.envelopeOf(entry)
  }
  return text
}

function endedOf({ ended }: Batch): string {
  return ended.length === 0 ? '' : `,"ended":["${ended.join('","')}"]`
}

/** What a page weighs beside its envelopes, and one comma an envelope; at most, in bytes. Ends are few. */
export const PAGE_FRAME = 96
