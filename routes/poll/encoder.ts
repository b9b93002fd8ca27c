import type { Batch, Encoder } from '../../bus/batch.ts'

/** Maximum characters of a page that stays a string: node:http joins a string with the head into one write. */
const SMALL_PAGE = 4096

/** Encodes the body of an answer to a poll. */
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
    // An end without data appears only in `ended`.
    if (entry.bare) continue
    if (text !== '') text += ','
    text += entry.end ? `${batch.envelopeOf(entry).slice(0, -1)},"end":true}` : batch.envelopeOf(entry)
  }
  return text
}

function endedOf({ ended }: Batch): string {
  return ended.length === 0 ? '' : `,"ended":["${ended.join('","')}"]`
}

/** Maximum bytes of a page beside its envelopes and one comma each. */
export const PAGE_FRAME = 96
