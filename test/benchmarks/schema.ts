import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../child.ts'

/** The subset of JSON Schema that the results schema uses. */
interface Schema {
  readonly $ref?: string
  readonly $defs?: Record<string, Schema>
  readonly anyOf?: readonly Schema[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly required?: readonly string[]
  readonly properties?: Record<string, Schema>
  readonly items?: Schema
  readonly type?: string | readonly string[]
}

const SCHEMA: Schema = JSON.parse(readFileSync(join(ROOT, 'benchmarks', 'results.schema.json'), 'utf8'))

/** Returns the differences between the results and the schema. */
export function misfits(results: unknown): string[] {
  return misfitsOf(SCHEMA, results, SCHEMA, 'results')
}

function misfitsOf(root: Schema, value: unknown, schema: Schema, path: string): string[] {
  if (schema.$ref !== undefined) {
    return misfitsOf(root, value, root.$defs![schema.$ref.split('/').at(-1)!]!, path)
  }
  if (schema.anyOf !== undefined) {
    const found = schema.anyOf.map((one) => misfitsOf(root, value, one, path))
    return found.some(({ length }) => length === 0) ? [] : found.flat()
  }
  const wrong: string[] = []
  if ('const' in schema && value !== schema.const) wrong.push(`${path} is not ${schema.const}`)
  if (schema.enum?.includes(value) === false) wrong.push(`${path} is not one of ${schema.enum}`)
  if (schema.type !== undefined && ![schema.type].flat().some((type) => isOf(type, value))) {
    wrong.push(`${path} is not of type ${schema.type}`)
  }
  if (Array.isArray(value)) {
    const { items } = schema
    if (items) wrong.push(...value.flatMap((each, i) => misfitsOf(root, each, items, `${path}[${i}]`)))
  } else if (typeof value === 'object' && value !== null) {
    for (const name of schema.required ?? []) {
      if (!Object.hasOwn(value, name)) wrong.push(`${path}.${name} is missing`)
    }
    for (const [name, part] of Object.entries(schema.properties ?? {})) {
      if (Object.hasOwn(value, name)) {
        wrong.push(...misfitsOf(root, (value as Record<string, unknown>)[name], part, `${path}.${name}`))
      }
    }
  }
  return wrong
}

function isOf(type: string, value: unknown): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type && value !== null && !Array.isArray(value)
}
