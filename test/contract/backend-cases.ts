import assert from 'node:assert/strict'
import { ServerError } from '../../core/errors.ts'
import type { BackendContract, ContractCase } from './backend-tools.ts'
import { execute, floats, floatsOf, outputOf, requestOf, resultOf } from './backend-tools.ts'
import { identityCases } from './identity-cases.ts'
import { type Add, caseList, OpenedBackend } from './opened-backend.ts'
import { sampleCases } from './sample-cases.ts'

/** What a backend owes the schedulers, one thing after the other; the last case closes it. For any test runner. */
export function backendCases(contract: BackendContract): readonly ContractCase[] {
  const { models } = contract
  const { cases, add } = caseList()
  const opened = new OpenedBackend(contract.create)
  if (models.identity !== undefined) identityCases(contract, models.identity, opened, add)
  for (const [i, sample] of (models.samples ?? []).entries()) sampleCases(sample, i, opened, add)
  addSubCases(contract, opened, add)
  slowCases(contract, opened, add)
  for (const { source, message } of models.broken ?? []) {
    add(`a load that must fail says ${message.source}`, async () => {
      const backend = await opened.backend()
      await assert.rejects(backend.load(source), { message })
    })
  }
  add('it closes, with models open', async () => {
    await opened.close()
    await opened.close()
  })
  return cases
}

function addSubCases(
  { models, exceptions }: BackendContract,
  opened: OpenedBackend,
  add: Add,
): void {
  const { addSub } = models
  if (addSub === undefined) return
  const ab = (name: string, shape: readonly number[], values: readonly number[]) =>
    ({ name, datatype: 'FP32', shape, data: floats(values) }) as const
  const four = [1, 2, 3, 4]

  add('several inputs and outputs keep their names', async () => {
    const instance = await opened.instance(addSub)
    const a = ab('A', [1, 4], four)
    const b = ab('B', [1, 4], [10, 20, 30, 40])
    for (const inputs of [
      [a, b],
      [b, a],
    ]) {
      const answer = await execute(instance, [requestOf(inputs)])
      assert.deepEqual(floatsOf(outputOf(answer, 'SUM')), [11, 22, 33, 44])
      assert.deepEqual(floatsOf(outputOf(answer, 'DIFF')), [-9, -18, -27, -36])
    }
    await instance.close()
  })

  add(
    'a shape the model does not take, an unknown or a missing input is an error, not a crash',
    async () => {
      const instance = await opened.instance(addSub)
      const five = [1, 2, 3, 4, 5]
      for (const inputs of [
        [ab('A', [1, 5], five), ab('B', [1, 5], five)],
        [ab('A', [1, 4], four)],
        [ab('A', [1, 4], four), ab('Z', [1, 4], four)],
        [],
      ]) {
        const answer = await execute(instance, [requestOf(inputs)])
        assert.ok(answer instanceof ServerError, 'an error was to be answered')
      }
      const good = [ab('A', [1, 4], four), ab('B', [1, 4], four)]
      const answer = await execute(instance, [requestOf(good)])
      assert.deepEqual(floatsOf(outputOf(answer, 'SUM')), [2, 4, 6, 8])
      await instance.close()
    },
    exceptions?.shapeError,
  )
}

function slowCases({ models, exceptions }: BackendContract, opened: OpenedBackend, add: Add): void {
  const { slow } = models
  if (slow === undefined) return
  add(
    'a run in progress is stopped by terminate, and the instance serves on',
    async () => {
      const instance = await opened.instance(slow.source)
      const running = execute(instance, [requestOf(slow.inputs)])
      await new Promise((resolve) => setImmediate(resolve))
      instance.terminate?.()
      const answer = await running
      assert.ok(answer instanceof ServerError, 'an error was to be answered')
      assert.equal(answer.code, 'CANCELLED')
      resultOf(await execute(instance, [requestOf(slow.quick)]))
      instance.terminate?.()
      resultOf(await execute(instance, [requestOf(slow.quick)]))
      await instance.close()
    },
    exceptions?.cancel,
  )
}
