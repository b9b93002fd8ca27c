import { SHIPPED } from '../../benchmarks/adapters/names.ts'
import { reads } from './adapter.ts'

for (const name of SHIPPED.slice(4)) reads(name)
