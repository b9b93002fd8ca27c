/**
 * The text of a top-level member of a JSON object, as it was sent: JSON.parse would lose the digits of a large
 * number in it. Of several members with the same name the last counts, as JSON.parse has it.
 *
 * @param text JSON text that JSON.parse has accepted, of an object
 * @returns the member's text, or undefined where there is none
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

/** @returns the place after the string that begins at `i`. */
function skipString(text: string, i: number): number {
  for (;;) {
    i = text.indexOf('"', i + 1)
    let slashes = i - 1
    while (text[slashes] === '\\') slashes--
    if ((i - slashes) % 2 === 1) return i + 1
  }
}

/** @returns the place after the value that begins at `i`. */
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
