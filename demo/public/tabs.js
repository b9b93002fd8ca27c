import { onLanguage, t } from './i18n.js'

/** Detects further tabs of this page, and explains why they are a problem. @param {HTMLElement} place */
export function watchTabs(place) {
  if (!('BroadcastChannel' in globalThis)) return
  const channel = new BroadcastChannel('tidings page')
  const own = `${Math.random()}`
  const others = new Map()
  const show = () => {
    const text = others.size > 0 ? t('tabs.notice', { count: others.size + 1 }) : ''
    if (place.textContent !== text) place.textContent = text
  }
  const say = (type) => channel.postMessage({ type, from: own })
  channel.onmessage = ({ data: { type, from } }) => {
    if (type === 'gone') others.delete(from)
    else others.set(from, Date.now())
    if (type === 'hello') say('here')
    show()
  }
  // A crashed tab sends nothing.
  setInterval(() => {
    if (document.visibilityState === 'visible') say('here')
    for (const [from, at] of others) if (Date.now() - at > 15_000) others.delete(from)
    show()
  }, 5000)
  addEventListener('pagehide', () => say('gone'))
  document.addEventListener('visibilitychange', () =>
    say(document.visibilityState === 'visible' ? 'hello' : 'gone'),
  )
  onLanguage(show)
  say('hello')
}
