import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { ROOT } from './child.ts'

// The checker in plain JavaScript: no worker, no binary.
process.env.RECHECK_SYNC_BACKEND = 'pure'
const { checkSync } = await import('recheck')

/** All that reads what comes from outside. */
const SOURCES = ['bus', 'routes', 'plugins', 'demo', 'client', 'index.ts']

interface Found {
  readonly place: string
  /** Undefined where it is made at run time. */
  readonly literal: string | undefined
}

function filesIn(path: string): string[] {
  if (statSync(join(ROOT, path)).isFile()) return [path]
  return readdirSync(join(ROOT, path)).flatMap((name) => filesIn(join(path, name)))
}

/** Every regular expression in a source, and every place that makes one. */
function expressionsIn(path: string): Found[] {
  const source = ts.createSourceFile(
    path,
    readFileSync(join(ROOT, path), 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  )
  const found: Found[] = []
  const visit = (node: ts.Node): void => {
    const place = `${path}:${source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1}`
    if (ts.isRegularExpressionLiteral(node)) found.push({ place, literal: node.text })
    else if (
      (ts.isNewExpression(node) || ts.isCallExpression(node)) &&
      node.expression.getText(source) === 'RegExp'
    ) {
      found.push({ place, literal: undefined })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function faultOf(literal: string): string | undefined {
  const end = literal.lastIndexOf('/')
  const result = checkSync(literal.slice(1, end), literal.slice(end + 1), { timeout: 60_000 })
  if (result.status === 'safe') return undefined
  return result.status === 'vulnerable' ? result.complexity.summary : result.error.kind
}

t.test('the checker finds what is slower than its input is long', async (t) => {
  for (const literal of ['/\\s*,\\s*/', '/^(a+)+$/', '/a*b/']) t.ok(faultOf(literal), literal)
  t.equal(faultOf('/^[a-z]{1,128}$/'), undefined)
})

t.test('every regular expression takes time in proportion to its input', async (t) => {
  const paths = SOURCES.flatMap(filesIn).filter((path) => path.endsWith('.ts'))
  const found = paths.flatMap(expressionsIn)
  t.ok(found.length > 20, `${found.length} were found`)
  for (const { place, literal } of found) {
    if (literal === undefined) t.fail(`${place} makes one at run time, which nobody checks`)
    else t.equal(faultOf(literal), undefined, `${place} ${literal}`)
  }
})
