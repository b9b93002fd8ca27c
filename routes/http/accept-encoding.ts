/** A coding and its weight (RFC 9110 section 12.5.3). Malformed ones are skipped. */
const CODING = /^([!#$%&'*+.^_`|~0-9a-z-]+)[ \t]*(?:;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/

/**
 * Whether a client accepts gzip and does not prefer identity.
 * @param header `Accept-Encoding`, if present
 * @see RFC 9110 section 12.5.3
 */
export function takesGzip(header: string | undefined): boolean {
  const weights = new Map<string, number>()
  for (const item of header?.toLowerCase().split(',') ?? []) {
    const [, coding, weight = '1'] = CODING.exec(item.trim()) ?? []
    if (coding !== undefined) weights.set(coding, Number(weight))
  }
  const gzip = weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0
  return gzip > 0 && gzip >= (weights.get('identity') ?? 0)
}
