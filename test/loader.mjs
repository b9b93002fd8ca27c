import { register } from 'node:module'

/*
 * Loads TypeScript in the tests: node --import ./test/loader.mjs FILE. It does what the tests need of tsx in a third of
 * the time, which two hundred processes and their children pay.
 */
register('./loader-hooks.mjs', import.meta.url)
