import { connect } from 'node:net'
import t from 'tap'
import { kernelBytes, machine, pin, segmentsOf, steal } from '../../benchmarks/machine.ts'
import { build } from '../helper.ts'

t.test('what this machine tells of itself', async (t) => {
  const { cores, memoryBytes, node } = machine()
  t.ok(cores >= 1 && memoryBytes > 0)
  t.equal(node, process.version)
})

t.test('a core alone is shared by all', async (t) => {
  t.equal(await pin(process.pid, 'load', 1), false)
})

t.test('a file that is not there, or says something else, tells nothing', async (t) => {
  const folder = t.testdir({ other: 'something else' })
  for (const file of ['/nowhere', `${folder}/other`]) {
    t.same(steal(file), { total: 0, stolen: 0 })
    t.equal(kernelBytes(file), 0)
  }
  const known = t.testdir({
    stat: 'cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n',
    sockstat: 'sockets: used 1\nTCP: inuse 4 orphan 0 tw 0 alloc 5 mem 3\n',
  })
  t.same(steal(`${known}/stat`), { total: 36, stolen: 8 })
  t.equal(kernelBytes(`${known}/sockstat`), 3 * 4096)
})

t.test('segments are those of the connections to a port but those left out', async (t) => {
  const { port } = await build(t)
  const sockets = await Promise.all(
    [1, 2].map(async () => {
      const socket = connect(port, '127.0.0.1')
      t.teardown(() => socket.destroy())
      socket.write('GET /poll HTTP/1.1\r\nHost: a\r\n\r\n')
      await new Promise((resolve) => socket.once('data', resolve))
      return socket
    }),
  )
  const own = sockets.map(({ localPort }) => localPort!)
  const both = await segmentsOf(port, [])
  t.same(await segmentsOf(port, own), { in: 0, out: 0 })
  const one = await segmentsOf(port, own.slice(1))
  t.ok(one!.in > 0 && one!.in < both!.in && one!.out > 0 && one!.out < both!.out)
})

t.test('a tool that is missing is done without', async (t) => {
  const { PATH } = process.env
  t.teardown(() => {
    process.env.PATH = PATH
  })
  process.env.PATH = t.testdir()
  t.equal(await pin(process.pid, 'load', 2), false)
  t.equal(await segmentsOf(1, []), undefined)
})
