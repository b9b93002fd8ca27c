import { ERR_OPTION } from './errors.ts'

/** @returns the number. @throws TIDINGS_ERR_OPTION, which names the option, if it is no number or out of range. */
export function checkNumber(
  name: string,
  value: unknown,
  { least = 0, most = Number.MAX_SAFE_INTEGER, unit = '', infinity = false } = {},
): number {
  if (infinity && value === Infinity) return value
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `from ${least} to ${most}`
  const what = `a whole number${unit && ` of ${unit}`}, ${range}${infinity ? ', or Infinity' : ''}`
  throw new ERR_OPTION(name, `must be ${what}; it is ${show(value)}`)
}

/** @returns the options. @throws TIDINGS_ERR_OPTION, which names the first unknown option. */
export function checkKnown<T extends object>(
  name: string,
  value: unknown,
  known: readonly (keyof T)[],
): Partial<T> {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ERR_OPTION(name, `must be an object; it is ${show(value)}`)
  }
  for (const key of Object.keys(value)) {
    if (!(known as readonly string[]).includes(key)) {
      throw new ERR_OPTION(
        name === 'options' ? key : `${name}.${key}`,
        `is not an option of fastify-tidings; ${known.join(', ')} are`,
      )
    }
  }
  return value
}

export function show(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : Array.isArray(value) ? 'an array' : String(value)
}
