import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from './child.ts'

type Texts = Record<'en' | 'zh', Record<string, string>>

const folder = join(ROOT, 'public')
const files = (await readdir(join(folder, 'texts'))).sort()
const texts = await Promise.all(
  files.map(async (file) => (await import(join(folder, 'texts', file))).default as Texts),
)
const all: Texts = {
  en: Object.assign({}, ...texts.map(({ en }) => en)),
  zh: Object.assign({}, ...texts.map(({ zh }) => zh)),
}

t.test('both languages say the same things', async (t) => {
  for (const [index, { en, zh }] of texts.entries()) {
    t.same(Object.keys(zh).sort(), Object.keys(en).sort(), `${files[index]}`)
    for (const [key, text] of Object.entries(en)) {
      const values = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort()
      t.same(values(zh[key]!), values(text), `${key} has the same values`)
      t.not(zh[key]!.trim(), '', key)
    }
  }
  const count = texts.reduce((sum, { en }) => sum + Object.keys(en).length, 0)
  t.equal(Object.keys(all.en).length, count, 'no key stands in two files')
})

t.test('the HTML holds the English texts, and names no other key', async (t) => {
  const html = await readFile(join(folder, 'index.html'), 'utf8')
  const elements = [...html.matchAll(/data-i18n="([^"]+)"[^>]*>([^<]*)</g)]
  t.ok(elements.length > 30)
  for (const [, key, text] of elements) t.equal(text!.trim(), all.en[key!], `${key}`)
  for (const [, key] of html.matchAll(/data-i18n-label="([^"]+)"/g)) t.ok(all.en[key!], `${key}`)
})

t.test('the scripts name no other key', async (t) => {
  const scripts = (await readdir(folder, { recursive: true })).filter(
    (file) => file.endsWith('.js') && !/^(lib|texts)\/|^i18n/.test(file),
  )
  for (const file of scripts) {
    const script = await readFile(join(folder, file), 'utf8')
    const keys = [
      ...script.matchAll(/\bt\(\s*'([^']+)'/g),
      ...script.matchAll(/data-i18n(?:-label)?="([^"$]+)"/g),
      ...script.matchAll(/\bsay(?:\([^,()]+,| ?:) ?'([^']+)'/g),
      ...script.matchAll(/\blabel: '([^']+)'/g),
      ...script.matchAll(/\bi18n(?:Label)? ?[:=] ?'([^']+)'/g),
    ]
    for (const [, key] of keys) t.ok(all.en[key!], `${key} in ${file}`)
  }
})
