import { access } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import Fastify from 'fastify'
import t from 'tap'
import tidings from '../../index.ts'
import { ROOT } from '../child.ts'
import { PAGES, pageOf } from './pages.ts'

t.test('the README is short, and has the two commands', async (t) => {
  const { text } = pageOf('README.md')
  t.ok(text.split('\n').length <= 200)
  t.ok(text.includes('npm ci && npm start'))
  t.ok(text.includes('npm ci && npm test'))
  for (const { name } of PAGES)
    if (name !== 'README.md') t.ok(text.includes(`](${name})`), `links to ${name}`)
})

/** What GitHub makes of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-')
}

t.test('each link leads somewhere', async (t) => {
  for (const { name, text } of PAGES) {
    const prose = text.replace(/^```[\s\S]*?^```$/gm, '')
    for (const [, link] of prose.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [file = '', anchor] = link!.split('#')
      const path = file === '' ? name : join(dirname(name), file)
      await t.resolves(access(join(ROOT, path)), `${name}: ${link}`)
      if (anchor === undefined) continue
      const target = PAGES.find((page) => page.name === path)
      const anchors = Array.from(target?.text.matchAll(/^#+ (.*)$/gm) ?? [], ([, heading]) =>
        anchorOf(heading!),
      )
      t.ok(anchors.includes(anchor), `${name}: ${link}`)
    }
  }
})

t.test('each option is in the table of options', async (t) => {
  const refused = (options: object) =>
    Promise.resolve(Fastify().register(tidings, options)).then(
      () => '',
      (error: Error) => error.message,
    )
  // The message about an unknown option names the known ones.
  const known = async (options: object) =>
    /is not an option of fastify-tidings; (.*) are$/.exec(await refused(options))![1]!.split(', ')
  const names = await known({ nope: 1 })
  t.ok(names.includes('authorize'))
  for (const group of ['retention', 'poll', 'longpoll', 'heartbeat', 'limits', 'slowConsumer']) {
    for (const name of await known({ [group]: { nope: 1 } })) names.push(`${group}.${name}`)
  }
  for (const name of names.filter((name) => !names.some((other) => other.startsWith(`${name}.`)))) {
    t.ok(pageOf('docs/options.md').text.includes(`| \`${name}\` |`), name)
  }
})
