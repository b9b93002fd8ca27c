/**
 * The source text of a top-level member of a JSON object. JSON.parse would lose digits of large numbers. If a name is
 * repeated, the last member counts, as in JSON.parse.
 *
 * @param text an object as JSON, which JSON.parse accepts
 * @returns the text, or undefined if there is no such member
 */
export function memberText(text: string, name: string): string | undefined {
  let found: string | undefined
  let i = text.indexOf('{') + 1
  for (;;) {
    i = skipSpace(text, i)
    if (text[i] !== '"') return found
    const keyEnd = skipString(text, i)
    const key = text.slice(i, keyEnd)
    i = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = skipValue(text, i)
    if (key === `"${name}"` || (key.includes('\\') && JSON.parse(key) === name)) found = text.slice(i, end)
    i = skipSpace(text, end) + 1
  }
}

function skipSpace(text: string, i: number): number {
  while (text[i] === ' ' || text[i] === '\n' || text[i] === '\r' || text[i] === '\t') i++
  return i
}

/** @returns the index after the string that begins at `i`. */
function skipString(text: string, i: number): number {
  for (;;) {
    i = text.indexOf('"', i + 1)
    let slashes = i - 1
    while (text[slashes] === '\\') slashes--
    if ((i - slashes) % 2 === 1) return i + 1
  }
}

/** @returns the index after the value that begins at `i`. */
function skipValue(text: string, i: number): number {
  let depth = 0
  for (;;) {
    const c = text[i]
    if (c === '"') i = skipString(text, i)
    else if (c === '{' || c === '[') {
      depth++
      i++
      continue
    } else if (c === '}' || c === ']') {
      if (depth === 0) return i
      depth--
      i++
    } else if (depth === 0 && (c === ',' || c === ' ' || c === '\n' || c === '\r' || c === '\t')) return i
    else {
      i++
      continue
    }
    if (depth === 0) return i
  }
}
