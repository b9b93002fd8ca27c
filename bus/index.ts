/** The parts for writing a bus: see docs/bus.md. */
export type { Accepted, Bus, Host, Occupancy } from './bus.ts'
export type { Cursor, Start } from './cursor.ts'
export { ERR_ENGINE } from './errors.ts'
export { Log, type Lost, type Placed } from './log.ts'
export { type MemoryBus, type MemoryBusOptions, memoryBus } from './memory.ts'
export type { Entry } from './message.ts'
export {
  base64Payload,
  bytesPayload,
  jsonPayload,
  type Kind,
  type Mark,
  type Payload,
  textPayload,
} from './payload.ts'
export type { Retention } from './retention.ts'
export {
  type Batch,
  type Engine,
  type History,
  type Message,
  type Read,
  Refused,
  type Report,
  type Reported,
  type State,
  type Stored,
  type Trim,
  type Turn,
  type Verdict,
} from './shared/engine.ts'
export { type SharedRetention, sharedBus } from './shared/shared-bus.ts'
