/** Counts the lines of a text without a layout of the page. */

/** Fonts, as in the style sheet. */
const FONTS = {
  words:
    '400 14px Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif',
  caption:
    '600 14px Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif',
  cost: '400 12px Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif',
}
/** Usable share of a line, because words do not fill it completely. */
const LOOSE = 1.12
const MOST = 4

const context = document.createElement('canvas').getContext('2d')

/** @param {string} text @param {'words' | 'caption' | 'cost'} kind @param {number} width pixels */
export function linesOf(text, kind, width) {
  context.font = FONTS[kind]
  const wide = context.measureText(text).width
  if (wide <= width) return 1
  return Math.min(MOST, Math.ceil((wide * LOOSE) / width))
}
