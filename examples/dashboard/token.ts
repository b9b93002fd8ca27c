import { createHmac, timingSafeEqual } from 'node:crypto'

/** The claims of a token: the customer and the expiry, in seconds since 1970. */
export interface Claims {
  readonly sub: string
  readonly exp: number
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const HEAD = encode({ alg: 'HS256', typ: 'JWT' })

function signatureOf(text: string, secret: string): Buffer {
  return createHmac('sha256', secret).update(text).digest()
}

/** A JSON Web Token (RFC 7519), signed with HS256. */
export function sign(claims: Claims, secret: string): string {
  const text = `${HEAD}.${encode(claims)}`
  return `${text}.${signatureOf(text, secret).toString('base64url')}`
}

/** @returns the claims of a token; undefined if its signature is invalid or it has expired */
export function verify(token: string | undefined, secret: string): Claims | undefined {
  const [head, body = '', signature = ''] = token?.split('.') ?? []
  const expected = signatureOf(`${head}.${body}`, secret)
  const given = Buffer.from(signature, 'base64url')
  if (head !== HEAD || given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims
  return claims.exp * 1000 > Date.now() ? claims : undefined
}
