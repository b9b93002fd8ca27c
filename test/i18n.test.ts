import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { ROOT } from './child.ts'

type Texts = Record<'en' | 'zh', Record<string, string>>

const folder = join(ROOT, 'demo', 'public')
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

/** What stands in the scripts as a text, and as a template; the gaps of a template are null. */
function* literals(node: ts.Node): Generator<(string | null)[]> {
  if (ts.isStringLiteralLike(node)) yield [node.text]
  else if (ts.isTemplateExpression(node)) {
    yield [node.head.text, ...node.templateSpans.flatMap(({ literal }) => [null, literal.text])]
  }
  for (const child of node.getChildren()) yield* literals(child)
}

t.test('the scripts name no other key, and each key is named', async (t) => {
  const scripts = (await readdir(folder, { recursive: true })).filter(
    (file) => file.endsWith('.js') && !/^(lib|texts)\//.test(file),
  )
  const keys = Object.keys(all.en)
  const spaces = [...new Set(keys.map((key) => key.split('.', 1)[0]!))]
  const begins = new RegExp(`^(?:${spaces.join('|')})\\.`)
  const named = new Set<string>()
  const name = (text: string, file: string) => {
    const pattern = new RegExp(`^${text}$`)
    const found = keys.filter((key) => pattern.test(key))
    if (found.length === 0) t.fail(`${text} in ${file} is no key`)
    for (const key of found) named.add(key)
  }
  for (const file of scripts) {
    const source = ts.createSourceFile(
      file,
      await readFile(join(folder, file), 'utf8'),
      ts.ScriptTarget.ES2023,
      true,
    )
    for (const parts of literals(source)) {
      // Texts with tags in them name keys in their attributes.
      const text = parts.map((part) => (part === null ? '\0' : part)).join('')
      const candidates = text.includes('<')
        ? [...text.matchAll(/data-i18n(?:-label)?="([^"]+)"/g)].map(([, key]) => key!)
        : [text]
      for (const key of candidates) {
        // The name of a file, or the beginning of a key that is cut off somewhere.
        if (!begins.test(key) || /\.(?:js|json|css)$|\.$|\s/.test(key)) continue
        name(key.replaceAll('.', '\\.').replaceAll('\0', '[^ ]+'), file)
      }
    }
  }
  const html = await readFile(join(folder, 'index.html'), 'utf8')
  for (const [, key] of html.matchAll(/data-i18n(?:-[a-z]+)?="([^"]+)"/g)) named.add(key!)
  t.same(
    keys.filter((key) => !named.has(key)),
    [],
    'no text is left over',
  )
})

t.test('what is no key is reported, and never shown as a text', async (t) => {
  const { addTexts, t: text } = (await import(join(folder, 'i18n.js'))) as {
    addTexts(texts: object): void
    t(key: string, values?: object): string
  }
  addTexts({ en: { 'a.b': 'A {value}' }, zh: { 'a.b': '甲 {value}' } })
  t.equal(text('a.b', { value: 0 }), 'A 0')
  t.throws(() => text('a.c'), { message: "no text 'a.c'" })
  t.throws(() => text('toString'), { message: "no text 'toString'" })
  t.throws(() => text('a.b'), { message: "no value for 'a.b'" })
  Object.defineProperty(globalThis, 'document', { value: {}, configurable: true })
  t.teardown(() => Reflect.deleteProperty(globalThis, 'document'))
  const reported = t.capture(console, 'error')
  t.equal(text('a.c'), '⟦a.c⟧')
  t.equal(text('a.b'), 'A ⟦value⟧')
  t.equal(reported().length, 2)
})
