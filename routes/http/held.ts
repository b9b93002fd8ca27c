import type { FastifyContextConfig } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on routes of fastify-tidings. */
    tidings?: {
      /** The route holds its requests: their duration is no latency. */
      readonly held: boolean
    }
  }
}

/** The `config` of routes that hold their requests. Metrics and logs of an application can leave them out by it. (Other plugins may declare required members.) */
export const HELD = { tidings: { held: true } } as FastifyContextConfig
