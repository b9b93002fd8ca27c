import { apache } from './apache.ts'
import { caddy } from './caddy.ts'
import { haproxy } from './haproxy.ts'
import type { Kind } from './kind.ts'
import { nginx } from './nginx.ts'
import { squid, squidForward } from './squid.ts'
import { stunnel } from './stunnel.ts'
import { varnish } from './varnish.ts'

export const KINDS: readonly Kind[] = [nginx, haproxy, apache, varnish, caddy, stunnel, squid, squidForward]
