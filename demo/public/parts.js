import { keyOf, onLanguage, t } from './i18n.js'

/** Helpers that create elements. */

/** @type {WeakMap<HTMLElement, Record<string, string | number>>} */
const values = new WeakMap()

/**
 * An element with its properties; `say` is the key of its text, `label` that of its accessible name, `class` its
 * class, and whatever has a dash is an attribute.
 * @template {string} const S
 * @template {string} const L
 * @param {string} tag
 * @param {import('../page-types.d.ts').Properties<S, L>} [properties]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue
    if (name === 'say') say(element, value)
    else if (name === 'label') {
      element.dataset.i18nLabel = value
      element.setAttribute('aria-label', t(value))
    } else if (name === 'class') element.className = value
    else if (name === 'for' || name === 'role' || name.includes('-')) element.setAttribute(name, value)
    else element[name] = value
  }
  element.append(...children)
  return element
}

/**
 * Has an element say a text, in whatever language is chosen; what stands in backticks is shown as code.
 * @template {string} const K
 * @param {HTMLElement} element
 * @param {K & import('../page-types.d.ts').KnownKey<K>} key
 * @param {Record<string, string | number>} [with_]
 */
export function say(element, key, with_ = {}) {
  element.dataset.said = key
  values.set(element, with_)
  const parts = t(keyOf(key), with_).split('`')
  element.replaceChildren(
    ...parts.map((part, i) => {
      if (i % 2 === 0) return document.createTextNode(part)
      const code = document.createElement('code')
      code.textContent = part
      return code
    }),
  )
}

onLanguage(() => {
  for (const element of document.querySelectorAll('[data-said]')) {
    say(element, keyOf(element.dataset.said), values.get(element))
  }
})

const NAMESPACE = 'http://www.w3.org/2000/svg'

/**
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElement}
 */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(NAMESPACE, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, `${value}`)
  element.append(...children)
  return element
}

/**
 * Formats bytes as a dump: offset, hexadecimal, characters.
 * @param {Uint8Array} bytes
 */
export function dump(bytes, width = 16) {
  const lines = []
  for (let at = 0; at < bytes.length; at += width) {
    const row = [...bytes.subarray(at, at + width)]
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const text = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '·')).join('')
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(3 * width - 1)}  ${text}`)
  }
  return lines.join('\n')
}
