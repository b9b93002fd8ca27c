/**
 * Texts in two languages. An element with `data-i18n="key"` shows that text, one with `data-i18n-label="key"` bears it
 * as its accessible name; what scripts say comes from `t`.
 *
 * @typedef {'en' | 'zh'} Language
 * @typedef {Record<Language, Record<string, string>>} Texts
 */

const STORED = 'tidings language'

/** @type {Texts} */
const texts = { en: {}, zh: {} }
const listeners = new Set()
/** @type {Language} */
let language = preferred()

/** @param {Texts} more */
export function addTexts(more) {
  Object.assign(texts.en, more.en)
  Object.assign(texts.zh, more.zh)
}

/**
 * @template {string} const K
 * @param {K & import('../page-types.d.ts').KnownKey<K>} key
 * @param {Record<string, string | number>} [values] what stands in the text in braces
 * @throws outside a browser, where there is no such text, or not all of its values: in one it is marked and reported
 */
export function t(key, values = {}) {
  const text = Object.hasOwn(texts[language], key) ? texts[language][key] : amiss(`no text '${key}'`, key)
  return text.replace(/\{(\w+)\}/g, (_, name) => `${values[name] ?? amiss(`no ${name} for '${key}'`, name)}`)
}

/**
 * Returns the key in an element's attribute. A test checks the keys in the markup; types can't.
 * @param {string} key
 * @returns {import('../page-types.d.ts').TextKey}
 */
export function keyOf(key) {
  return /** @type {import('../page-types.d.ts').TextKey} */ (key)
}

/** Makes a wrong key visible. */
function amiss(message, name) {
  if (!globalThis.document) throw new Error(message)
  console.error(new Error(message))
  return `⟦${name}⟧`
}

/** @returns {Language} */
export function currentLanguage() {
  return language
}

/**
 * Calls back after each change of the language, once the elements are translated.
 * @param {(language: Language) => void} callback
 * @returns {() => void} what ends it
 */
export function onLanguage(callback) {
  listeners.add(callback)
  return () => listeners.delete(callback)
}

/** @param {Language} next */
export function setLanguage(next) {
  language = next
  try {
    localStorage.setItem(STORED, next)
  } catch {
    // Without storage, the choice lasts until the page closes.
  }
  const url = new URL(location.href)
  if (url.searchParams.has('lang')) {
    // The address may be copied, so it must name the current language.
    url.searchParams.set('lang', next)
    history.replaceState(history.state, '', url)
  }
  translate(document)
  for (const listener of listeners) listener(next)
}

/**
 * Translates the descendants of an element, for parts that are added later.
 * @param {Document | DocumentFragment | Element} root
 */
export function translate(root) {
  if (root === document) document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en'
  for (const element of root.querySelectorAll('[data-i18n]'))
    element.textContent = t(keyOf(element.dataset.i18n))
  for (const element of root.querySelectorAll('[data-i18n-label]')) {
    element.setAttribute('aria-label', t(keyOf(element.dataset.i18nLabel)))
  }
}

/** What the address asks for, what was chosen before, or what the browser speaks. @returns {Language} */
function preferred() {
  const asked = new URLSearchParams(globalThis.location?.search).get('lang')
  if (asked === 'en' || asked === 'zh') return asked
  let stored
  try {
    stored = localStorage.getItem(STORED)
  } catch {
    // Treat it as if nothing were stored.
  }
  if (stored === 'en' || stored === 'zh') return stored
  return /^zh\b/i.test(globalThis.navigator?.language ?? '') ? 'zh' : 'en'
}
