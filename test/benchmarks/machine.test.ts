import { spawn } from 'node:child_process'
import { chmod, readFile } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  lowerPriority,
  machine,
  measureSteal,
  openFiles,
  pin,
  procCpuOf,
  segmentsOf,
  slabBytes,
  steal,
  versions,
  waited,
} from '../../benchmarks/machine.ts'

t.test('facts about this machine', async (t) => {
  const { cores, memoryBytes, node } = machine()
  t.ok(cores >= 1 && memoryBytes > 0)
  t.equal(node, process.version)
  t.match(versions(), { fastify: /^5\./, 'fastify-tidings': String })
  t.same(versions(['no-such-package']), {})
})

t.test('CPU stolen by the host of a busy machine', async (t) => {
  const before = process.cpuUsage()
  const share = await measureSteal(50)
  t.ok(share >= 0 && share < 1)
  const { user } = process.cpuUsage(before)
  t.ok(user > 20_000, 'the machine was busy')
})

t.test('a single core is shared', async (t) => {
  t.equal(await pin(process.pid, 'load', 1), false)
})

t.test('a missing or unexpected file gives no value', async (t) => {
  const folder = t.testdir({ other: 'something else' })
  for (const file of ['/nowhere', `${folder}/other`]) {
    t.same(steal(file), { total: 0, stolen: 0 })
    t.equal(slabBytes(file), undefined)
  }
  t.equal(waited('/nowhere'), 0)
  t.equal(openFiles('/nowhere'), Number.POSITIVE_INFINITY)
  t.ok(openFiles() > 0)
  const known = t.testdir({
    stat: 'cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n',
    schedstat: '1000 2000 3\n',
    slabinfo: 'TCP  3 13 2000 13 8 : x\nTCPv6 1 13 100 13 8 : x\nother 9 9 9 1 1 : x\n',
  })
  t.same(steal(`${known}/stat`), { total: 36, stolen: 8 })
  t.equal(slabBytes(`${known}/slabinfo`), 3 * 2000 + 100)
  t.equal(waited(`${known}/schedstat`), 2)
})

/** Restricts PATH to one folder. */
function onlyIn(t: Test, folder: string): void {
  const { PATH } = process.env
  t.teardown(() => {
    process.env.PATH = PATH
  })
  process.env.PATH = folder
}

/** Output of ss, which may not be installed. */
const CONNECTIONS = `ESTAB 0 0 127.0.0.1:3000 127.0.0.1:40001
\t cubic wscale:10,10 rto:201 rtt:0.1/0.05 mss:32768 bytes_acked:900 segs_out:7 segs_in:8 data_segs_out:5 send 1Mbps
ESTAB 0 0 127.0.0.1:3000 127.0.0.1:40002
\t cubic wscale:10,10 rto:201 rtt:0.1/0.05 mss:32768 segs_out:20 segs_in:30 send 1Mbps
ESTAB 0 0 127.0.0.1:3000 127.0.0.1:40003
\t cubic wscale:10,10 rto:201
`

t.test('segments of the connections to a port, except those excluded', async (t) => {
  const folder = t.testdir({
    ss: `#!${process.execPath}\nprocess.stdout.write(${JSON.stringify(CONNECTIONS)})\n`,
  })
  await chmod(join(folder, 'ss'), 0o755)
  onlyIn(t, folder)
  t.same(await segmentsOf(3000, []), { in: 38, out: 27 })
  t.same(await segmentsOf(3000, [40002]), { in: 8, out: 7 })
  t.same(await segmentsOf(3000, [40001, 40002]), { in: 0, out: 0 })
})

t.test('a process lowers its priority with chrt', async (t) => {
  const idle = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'])
  t.teardown(() => idle.kill())
  const pid = idle.pid!
  const folder = t.testdir({
    chrt: '#!/bin/sh\necho "$*" > "$0.args"\n',
  })
  await chmod(join(folder, 'chrt'), 0o755)
  onlyIn(t, folder)
  await lowerPriority(pid, true)
  t.equal(await readFile(join(folder, 'chrt.args'), 'utf8'), `-i -a -p 0 ${pid}\n`)
  t.equal(getPriority(pid), getPriority())
  await lowerPriority(pid, false)
  t.equal(getPriority(pid), 10)

  const other = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'])
  t.teardown(() => other.kill())
  process.env.PATH = t.testdir({ empty: {} })
  await lowerPriority(other.pid!, true)
  t.equal(getPriority(other.pid), 10, 'or with nice, if chrt is missing')
})

t.test('missing tools are optional', async (t) => {
  onlyIn(t, t.testdir())
  t.equal(await pin(process.pid, 'load', 2), false)
  t.equal(await segmentsOf(1, []), undefined)
})

t.test('CPU in /proc equals that of the process, over all threads', async (t) => {
  const root = t.testdir({ 7: { task: { 7: { schedstat: '1000000 5 6' }, 8: { schedstat: '500000 1 2' } } } })
  t.equal(procCpuOf(7, root), 1500)
  t.equal(procCpuOf(8, root), undefined)
  const found = procCpuOf(process.pid)
  const { user, system } = process.cpuUsage()
  // /proc was read between the two.
  if (found !== undefined) t.ok(user + system >= found && user + system - found < 1e6)
})
