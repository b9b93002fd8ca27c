/// <reference lib="dom" />
import { connect } from 'fastify-tidings/client'
import { useFeed, useMessages } from 'fastify-tidings/react'
import { createElement as h, useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import type { Snapshot } from './orders.ts'
import { apply, type OrderChange, stateOf } from './state.ts'

// A login would return the token. It is not part of the page's URL, because servers log URLs.
const { token, customer } = (await (await fetch('login', { method: 'POST' })).json()) as {
  token: string
  customer: string
}
const headers = { authorization: `Bearer ${token}` }

async function load(): Promise<Snapshot> {
  return (await fetch('orders', { headers })).json() as Promise<Snapshot>
}

function Orders({ snapshot, reload }: { snapshot: Snapshot; reload: () => void }) {
  const feed = useFeed<OrderChange>(new URL('live', location.href), {
    connect,
    channels: [`orders.${customer}`],
    cursor: snapshot.cursor,
    getToken: () => token,
  })
  const { orders } = useMessages(feed, (state, { data }) => apply(state, data), stateOf(snapshot), {
    // The log no longer has some changes, but the database has them.
    onGap: (state) => {
      reload()
      return state
    },
  })
  return h(
    'section',
    null,
    h('p', null, `${feed.status}${feed.transport ? ` over ${feed.transport}` : ''}`),
    h(
      'table',
      null,
      h(
        'tbody',
        null,
        ...[...orders.values()].map(({ id, total }) =>
          h('tr', { key: id }, h('td', null, `order ${id}`), h('td', null, total)),
        ),
      ),
    ),
  )
}

function App() {
  const [snapshot, setSnapshot] = useState<Snapshot>()
  const reload = () => void load().then(setSnapshot)
  useEffect(reload, [])
  return snapshot ? h(Orders, { snapshot, reload, key: snapshot.cursor }) : h('p', null, 'loading')
}

createRoot(document.querySelector('main')!).render(h(App))
