import { wordsOf } from './arrow.js'
import { frameOf, hexDump, latin1, sizeText, utf8 } from './bytes.js'
import { t, translate } from './i18n.js'

const dialog = document.createElement('dialog')
dialog.id = 'details'
dialog.setAttribute('aria-labelledby', 'details-title')
dialog.innerHTML = `
  <header>
    <h2 id="details-title"></h2>
    <button type="button" data-i18n="details.close"></button>
  </header>
  <p class="quiet"></p>
  <div class="parts"></div>`
document.body.append(dialog)
dialog.querySelector('button').addEventListener('click', () => dialog.close())
dialog.addEventListener('click', (event) => {
  if (event.target === dialog) dialog.close()
})

/**
 * Shows the bytes that an arrow stands for, in words and in hex.
 * @param {import('./arrow.js').Arrow} arrow
 * @param {string} lane its name
 */
export function showDetails(arrow, lane) {
  translate(dialog)
  dialog.querySelector('h2').textContent = `${lane}: ${wordsOf(arrow)}`
  const { direction, at, connection } = arrow
  const time = new Date(at).toISOString().slice(11, 23)
  const size = arrow.size === undefined ? '–' : sizeText(arrow.size)
  dialog.querySelector('p').textContent = t(`details.${direction}`, {
    size,
    time,
    connection: connection ?? '–',
  })
  dialog.querySelector('.parts').replaceChildren(...(arrow.parts ?? []).flatMap(partOf))
  if (!dialog.open) dialog.showModal()
}

function partOf({ kind, size, bytes }) {
  const parts = [heading(t(`details.${kind}`, { size: sizeText(size) }))]
  if (kind === 'frame') parts.push(frameTable(bytes))
  else parts.push(pre(kind === 'body' || kind === 'chunk' ? utf8(bytes) : latin1(bytes).trimEnd()))
  parts.push(heading(t('details.hex'), 'h4'), pre(hexDump(bytes), 'hex'))
  if (size > bytes.length) {
    const more = document.createElement('p')
    more.className = 'hint'
    more.textContent = t('details.more', { size: sizeText(size - bytes.length) })
    parts.push(more)
  }
  return parts
}

function heading(text, level = 'h3') {
  const element = document.createElement(level)
  element.textContent = text
  return element
}

function pre(text, kind = 'text') {
  const element = document.createElement('pre')
  element.className = kind
  element.tabIndex = 0
  element.textContent = text
  return element
}

function frameTable(bytes) {
  const { fin, opcode, name, masked, mask, header, length, payload } = frameOf(bytes)
  const rows = [
    ['details.fin', fin ? t('details.fin.last') : t('details.fin.more')],
    ['details.opcode', `0x${opcode.toString(16)} ${name}`],
    ['details.length', t('details.length.value', { length, header })],
    ['details.mask', masked ? hexDump(mask).slice(6, 17) : t('details.mask.none')],
    ['details.payload', utf8(opcode === 8 ? payload.subarray(2) : payload)],
  ]
  const list = document.createElement('dl')
  list.className = 'frame'
  for (const [key, value] of rows) {
    const term = document.createElement('dt')
    term.textContent = t(key)
    const text = document.createElement('dd')
    text.textContent = value
    list.append(term, text)
  }
  return list
}
