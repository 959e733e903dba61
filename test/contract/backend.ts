import { describe, test } from 'vitest'
import { backendCases } from './backend-cases.ts'
import type { BackendContract } from './backend-tools.ts'

export * from './backend-tools.ts'

/** What every backend owes the schedulers, whatever runs the model. */
export function backendContract(contract: BackendContract): void {
  describe(`backend ${contract.name}`, () => {
    for (const { name, skip, run } of backendCases(contract)) {
      test.skipIf(skip !== false)(skip === false ? name : `${name} (skipped: ${skip})`, run)
    }
  })
}
