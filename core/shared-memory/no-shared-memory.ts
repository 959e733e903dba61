import { createSharedMemory } from './regions.ts'
import type { SharedMemory } from './types.ts'

/** Where a target supplies no shared memory: it has no region and never gets one. */
export const NO_SHARED_MEMORY: SharedMemory = createSharedMemory({})
