/** What a bus of one's own is made of: see docs/bus.md. */
export type { Accepted, Bus } from './bus.ts'
export type { Cursor, Start } from './cursor.ts'
export { Log, type Retention } from './log.ts'
export { type MemoryBus, type MemoryBusOptions, memoryBus } from './memory.ts'
export type { Entry } from './message.ts'
export { base64Payload, bytesPayload, jsonPayload, type Kind, type Payload, textPayload } from './payload.ts'
