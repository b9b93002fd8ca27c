import { BUNDLED } from '../../benchmarks/adapters/names.ts'
import { reads } from './adapter.ts'

for (const name of BUNDLED.slice(4)) reads(name)
