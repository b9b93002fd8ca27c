/** Counts the lines of a text without a layout of the page. */

/** Fonts, as in the style sheet. */
const FONTS = {
  words:
    '400 14px Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif',
  strong:
    '600 14px Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif',
  cost: '400 12px Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif',
}
const MOST = 6
/** Spaces, a character of Chinese, or a word: a line breaks between them. */
const PIECES = /[ \t\n]+|[\u2e80-\u9fff\uff00-\uffef]|[^ \t\n\u2e80-\u9fff\uff00-\uffef]+/g

const context = document.createElement('canvas').getContext('2d')

/** @param {string} text @param {'words' | 'strong' | 'cost'} kind @param {number} width pixels */
export function linesOf(text, kind, width) {
  context.font = FONTS[kind]
  const widthOf = (/** @type {string} */ piece) => context.measureText(piece).width
  if (width <= 0 || widthOf(text) <= width) return 1
  let lines = 1
  let used = 0
  for (const piece of text.match(PIECES) ?? []) {
    const wide = widthOf(piece)
    if (used + wide > width && piece.trim() !== '') {
      lines += Math.ceil(wide / width) - (used === 0 ? 1 : 0)
      used = wide % width || width
    } else used += wide
  }
  return Math.min(MOST, lines)
}
