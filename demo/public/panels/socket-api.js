import { addTexts } from '../i18n.js'
import { make } from '../parts.js'
import texts from '../texts/socket-api.js'
import { EventLog } from './event-log.js'
import { FreeSocket } from './free-socket.js'
import { Listing } from './listing.js'

addTexts(texts)

/** @param {HTMLElement} element */
export function mount(element) {
  element.replaceChildren(
    make('p', { class: 'lead', say: 'socket-api.lead' }),
    new Listing(new EventLog('socket-api.journal')).element,
    make('h3', { say: 'socket-api.free' }),
    make('p', { say: 'socket-api.free.lead' }),
    new FreeSocket().element,
  )
}
