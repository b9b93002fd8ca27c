import { faultOf } from './link.ts'
import { routeOf, type Settings } from './settings.ts'
import type { Fault, PublishOptions } from './types.ts'

/** The bytes that somebody publishes; undefined where it is text or JSON. */
export function bytesOf(data: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (!ArrayBuffer.isView(data)) return undefined
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
}

/** A frame that any server of this kind takes, whatever payload it allows: a larger one could end the socket. */
const MAX_FRAME = 4096

/** A publish frame; undefined where it would be too large for a socket, so that POST is the way. */
export function frameOf(
  ref: number,
  channel: string,
  data: unknown,
  key: string | undefined,
): string | undefined {
  const bytes = bytesOf(data)
  if (bytes && bytes.length > MAX_FRAME) return undefined
  const frame = JSON.stringify({ type: 'publish', ref, key, ...membersOf(channel, data, bytes) })
  return new TextEncoder().encode(frame).length > MAX_FRAME ? undefined : frame
}

function membersOf(channel: string, data: unknown, bytes: Uint8Array | undefined): object {
  if (!bytes) return { channel, data }
  return {
    channel,
    data: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')),
    encoding: 'base64',
  }
}

/** @throws an Error that is a Fault, too */
export async function post(
  settings: Settings,
  channel: string,
  data: unknown,
  { key, signal }: PublishOptions,
): Promise<{ cursor: string }> {
  const { request } = settings
  const headers = new Headers(request.headers)
  const bytes = bytesOf(data)
  const text = typeof data === 'string'
  headers.set('content-type', bytes ? 'application/octet-stream' : text ? 'text/plain' : 'application/json')
  if (key) headers.set('idempotency-key', key)
  const init = {
    ...request,
    method: 'POST',
    cache: 'no-store',
    headers,
    body: bytes ?? (text ? data : JSON.stringify(data)),
    ...(signal && { signal }),
  } as RequestInit
  const response = await settings.fetch(routeOf(settings, 'publish', [['channel', channel]]), init)
  if (response.ok) return (await response.json()) as { cursor: string }
  const { message, code } = (await response.json().catch(() => ({}))) as Partial<Fault>
  const { status } = response
  const fault: Fault = {
    ...faultOf(response),
    final: status < 500 && status !== 429,
    ...(message && { message, code: code ?? status }),
  }
  throw Object.assign(new Error(fault.message), fault)
}
