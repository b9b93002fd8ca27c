import { make } from '../parts.js'

/** Maximum lines. */
const MOST = 200

/** A list of events with their times in milliseconds. */
export class EventLog {
  /** @param {string} label the key of its name */
  constructor(label) {
    this.element = make('ol', { class: 'journal', label, tabIndex: 0, 'aria-live': 'polite' })
  }

  add(text, milliseconds) {
    this.element.append(make('li', {}, make('time', {}, `${milliseconds.toFixed(1)} ms`), text))
    if (this.element.childElementCount > MOST) this.element.firstElementChild.remove()
    this.element.scrollTop = this.element.scrollHeight
  }

  clear() {
    this.element.replaceChildren()
  }
}
