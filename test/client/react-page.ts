/// <reference lib="dom" />
import { createElement as h, StrictMode, Suspense, useState } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import type { Gap } from '../../client/index.ts'
import { type FeedOptions, useFeed, useMessages } from '../../client/react/index.ts'

/*
 * What the tests put into a page: it is bundled, and driven from without.
 */

interface Props {
  url: string
  options: FeedOptions
}

/** Each state of `List` that was put on the page, and each that its second reader had in the same render. */
export const renders: { data: number[]; same: boolean; status: string }[] = []
export const gaps: Gap[] = []
/** How often `reduce` was called. */
export const calls = { reduce: 0 }

const append = (list: number[], { data }: { data: number }) => {
  calls.reduce++
  return [...list, data]
}

function List({ url, options }: Props) {
  const feed = useFeed<number>(url, options)
  const data = useMessages(feed, append, [])
  const again = useMessages(feed, append, [], {
    onGap: (state, gap) => {
      gaps.push(gap)
      return state
    },
  })
  Object.assign(globalThis, { feed })
  renders.push({ data, same: data.join() === again.join(), status: feed.status })
  return h('p', { id: 'list' }, `${feed.status} ${feed.transport} ${data.join()}`)
}

let release = () => {}
const waited = new Promise<void>((resolve) => {
  release = resolve
})
let done = false
void waited.then(() => {
  done = true
})

/** Lets what is suspended go on. */
export { release }

function Suspended() {
  if (!done) throw waited
  return h('p', { id: 'ready' }, 'ready')
}

/** Suspends after its hooks have run: React throws that render away. */
function Late({ url, options }: Props) {
  const feed = useFeed<number>(url, options)
  const data = useMessages(feed, append, [])
  return h('div', null, h('p', { id: 'late' }, data.join()), h(Suspended))
}

let root: Root
let change: (props: Props | undefined) => void

function App({ first, late }: { first: Props; late: boolean }) {
  const [props, set] = useState<Props | undefined>(first)
  change = set
  return props ? h(late ? Late : List, props) : h('p', { id: 'none' }, 'none')
}

export function mount(first: Props, late = false): void {
  root = createRoot(document.body.appendChild(document.createElement('main')))
  const app = h(App, { first, late })
  root.render(
    h(StrictMode, null, late ? h(Suspense, { fallback: h('p', { id: 'wait' }, 'wait') }, app) : app),
  )
}

/** Renders with other props; undefined unmounts the reader. */
export function render(props: Props | undefined): void {
  change(props)
}

export function unmount(): void {
  root.unmount()
}
