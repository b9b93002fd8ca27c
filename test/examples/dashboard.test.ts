import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Order, Snapshot } from '../../examples/dashboard/orders.ts'
import type { Database } from '../../examples/dashboard/outbox.ts'
import { build } from '../../examples/dashboard/server.ts'
import { apply, type OrderChange, type State, stateOf } from '../../examples/dashboard/state.ts'
import { sign, verify } from '../../examples/dashboard/token.ts'
import { once, open } from '../client/helper.ts'
import { listen } from '../helper.ts'
import { ask } from '../request.ts'

const SECRET = 'a secret'
const sqlite = await import('node:sqlite' as string).catch(() => undefined)
const skip = sqlite === undefined && 'Node 22.13 and later have node:sqlite'
const tokenOf = (customer: string, seconds = 3600) =>
  sign({ sub: customer, exp: Math.floor(Date.now() / 1000) + seconds }, SECRET)

async function dashboard(t: Test, path = ':memory:') {
  const db: Database & { close(): void } = new sqlite.DatabaseSync(path)
  const { app, orders } = await build(db, { secret: SECRET })
  t.teardown(async () => {
    const closed = app.close()
    app.server.closeAllConnections()
    await closed
    db.close()
  })
  return { app, orders, db, ...(await listen(app)) }
}

t.test('a token says who, until when, and can not be forged', async (t) => {
  const token = tokenOf('ada')
  t.match(verify(token, SECRET), { sub: 'ada' })
  t.equal(verify(token, 'another secret'), undefined)
  t.equal(verify(tokenOf('ada', -1), SECRET), undefined)
  t.equal(verify(undefined, SECRET), undefined)
  const [head, , signature] = token.split('.')
  const body = Buffer.from(JSON.stringify({ sub: 'bob', exp: 9e9 })).toString('base64url')
  t.equal(verify(`${head}.${body}.${signature}`, SECRET), undefined)
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
  t.equal(verify(`${none}.${body}.`, SECRET), undefined)
})

t.test('each customer has a channel of its own', { skip }, async (t) => {
  const { url } = await dashboard(t)
  const headers = { authorization: `Bearer ${tokenOf('ada')}` }
  t.equal((await ask(`${url}/live/poll?channel=orders.ada`, { headers })).status, 200)
  t.equal((await ask(`${url}/live/poll?channel=orders.ada&access_token=${tokenOf('ada')}`)).status, 200)
  t.equal((await ask(`${url}/live/poll?channel=orders.bob`, { headers })).status, 403)
  t.equal((await ask(`${url}/live/poll?channel=orders.ada&channel=orders.bob`, { headers })).status, 403)
  for (const path of ['/live/poll?channel=orders.ada', '/orders']) {
    const { status, headers } = await ask(url + path)
    t.match([status, headers['www-authenticate']], [401, 'Bearer'])
  }
  t.match((await ask(`${url}/login`, { method: 'POST' })).json, { customer: 'ada', token: String })
  t.match((await ask(`${url}/page.js`)).text, /orders/)
})

t.test('snapshots and streams have each change once, under concurrent writes', { skip }, async (t) => {
  const { app, orders, db, url } = await dashboard(t)
  const { tidings } = app
  // As over a network: there are changes that are committed, and not published yet.
  t.intercept(tidings, 'publish', {
    value: async (...args: Parameters<typeof tidings.publish>) => {
      await turn()
      return Object.getPrototypeOf(tidings).publish.apply(tidings, args)
    },
  })
  const customers = ['ada', 'bob']
  let writing = true
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let i = 0; i < 150; i++) {
      const customer = customers[(i + writer) % 2]!
      await orders.add(customer, (customer === 'ada' ? 0 : 10) + (i % 5), 1 + i)
      if (i % 7 === writer) await turn()
    }
  })
  const late = { dropped: 0, applied: 0 }
  const follow = async (customer: string) => {
    const headers = { authorization: `Bearer ${tokenOf(customer)}` }
    const snapshot: Snapshot = (await ask(`${url}/orders`, { headers })).json
    const feed = open<OrderChange>(t, `${url}/live`, {
      channels: [`orders.${customer}`],
      cursor: snapshot.cursor,
      getToken: () => tokenOf(customer),
      transports: ['sse', 'longpoll'],
    })
    let state: State = stateOf(snapshot)
    feed.onmessage = ({ data }) => {
      const before = state
      state = apply(state, data)
      late[state === before ? 'dropped' : 'applied']++
    }
    const gaps: unknown[] = []
    feed.ongap = (gap) => gaps.push(gap)
    return { customer, gaps, feed, state: () => state }
  }
  const readers = []
  while (writing && readers.length < 24) {
    readers.push(await follow(customers[readers.length % 2]!))
    writing = await Promise.race([Promise.all(writers).then(() => false), turn(true)])
  }
  await Promise.all(writers)
  // The last change of each customer says that all have come.
  for (const customer of customers) await orders.add(customer, 99 + customers.indexOf(customer), 1)
  for (const { customer, gaps, feed, state } of readers) {
    const last = 99 + customers.indexOf(customer)
    if (!state().orders.has(last)) await once(feed, 'message', ({ data }) => data.change.id === last)
    const rows = db.prepare('SELECT id, customer, total FROM orders WHERE customer = ? ORDER BY id')
    t.same(
      [...state().orders.values()].sort((a, b) => a.id - b.id),
      rows.all(customer) as Order[],
    )
    t.same(gaps, [])
  }
  t.ok(
    late.applied > 50 && late.dropped > 0,
    `${late.applied} came behind a snapshot, ${late.dropped} were in it`,
  )
  t.equal(tidings.bus.log.head, 602)
})

t.test('what is rolled back is not told, and what a crash has left is', { skip }, async (t) => {
  const { app, orders, db } = await dashboard(t)
  await t.rejects(
    orders.outbox.transaction((tell) => {
      tell('orders.ada', 'no')
      throw new Error('roll back')
    }),
    { message: 'roll back' },
  )
  t.equal(app.tidings.bus.log.head, 0)
  // As a process leaves it that ends behind its commit, and one that ends behind its publish.
  const insert = db.prepare('INSERT INTO outbox (channel, data) VALUES (?, ?)')
  insert.run('orders.ada', '1')
  await orders.outbox.flush()
  db.prepare('INSERT INTO outbox (id, channel, data) VALUES (?, ?, ?)').run(1, 'orders.ada', '1')
  insert.run('orders.ada', '2')
  await orders.outbox.flush()
  const { messages } = await app.tidings.read<OrderChange>('orders.ada')
  t.same(
    messages.map(({ data }) => data),
    [
      { version: 1, change: 1 },
      { version: 2, change: 2 },
    ],
  )
  t.equal(orders.snapshot('ada').version, 2)
})
