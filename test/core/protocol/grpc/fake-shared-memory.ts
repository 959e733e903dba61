import { ServerError } from '../../../../core/errors.ts'
import type { RegionLease, SharedMemory } from '../../../../core/shared-memory/types.ts'

/** One region `r` of 64 bytes, and what became of the leases on it. */
export function fakeSharedMemory(): {
  readonly sharedMemory: SharedMemory
  readonly owners: string[]
  readonly written: Map<string, Uint8Array>
  readonly state: { open: number }
} {
  const owners: string[] = []
  const written = new Map<string, Uint8Array>()
  const state = { open: 0 }
  const check = (region: string): void => {
    if (region === 'r') return
    throw new ServerError('NOT_FOUND', `Unable to find shared memory region: '${region}'`)
  }
  const lease = (owner: string): RegionLease => {
    owners.push(owner)
    state.open++
    return {
      input: ({ region, offset, byteSize }) => {
        check(region)
        return Uint8Array.from({ length: byteSize }, (_, i) => offset + i)
      },
      output: ({ region }) => check(region),
      write(output, { byteSize }, data) {
        if (data.length > byteSize) {
          throw new ServerError(
            'INTERNAL',
            `shared memory size specified with the request for output '${output}' (${byteSize} bytes) should be at least ${data.length} bytes to hold the results`,
          )
        }
        written.set(output, data.slice())
      },
      close: () => {
        state.open--
      },
    }
  }
  return { sharedMemory: { lease } as unknown as SharedMemory, owners, written, state }
}
