import { describe, expect, test } from 'vitest'
import { identityBackend, MAX_EXECUTE_DELAY_MS } from '../../../core/backend/identity.ts'
import type { BatchResult, ModelSource } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import {
  backendContract,
  execute,
  floats,
  floatsOf,
  outputOf,
  requestOf,
} from '../../contract/backend.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'

const config = { max_batch_size: 8, output: [{ name: 'Y' }] }
const source = { name: 'identity', version: 1, config } as unknown as ModelSource
const placement = { name: 'identity_0', kind: 'KIND_CPU', device: 0 } as const

backendContract({
  name: 'identity',
  create: () => identityBackend({ clock: createFakeClock({ startNs: 5 }) }),
  models: { identity: () => source },
  exceptions: {
    shapeError: 'an echo takes every shape',
    sizeError: 'an echo looks at no bytes',
  },
})

describe('execute_delay_ms', () => {
  const delayed = (ms: string) => ({
    ...config,
    parameters: { execute_delay_ms: { string_value: ms } },
  })
  const x = { name: 'X', datatype: 'FP32', shape: [1, 2], data: floats([1, 2]) } as const

  async function open(ms: string) {
    const clock = createFakeClock()
    const model = await identityBackend({ clock }).load(source)
    return { clock, instance: await model.instance(placement, delayed(ms)) }
  }

  test('an answer comes after exactly that time', async () => {
    const { clock, instance } = await open('20')
    let answer: BatchResult | ServerError | null = null
    const marks = { inputEndNs: 0, outputStartNs: 0 }
    instance.execute({ requests: [requestOf([x])], size: 1 }, marks, (result) => {
      answer = result
    })
    clock.advance(19_999_999)
    expect(answer).toBeNull()
    clock.advance(1)
    expect(floatsOf(outputOf(answer as unknown as BatchResult, 'Y'))).toEqual([1, 2])
    expect(marks.outputStartNs - marks.inputEndNs).toBe(20e6)
  })

  test('terminate ends the wait with CANCELLED, and close waits for what runs', async () => {
    const { clock, instance } = await open('1000')
    const cancelled = execute(instance, [requestOf([x])])
    instance.terminate?.()
    expect(((await cancelled) as ServerError).code).toBe('CANCELLED')
    const running = execute(instance, [requestOf([x])])
    const closed = instance.close()
    clock.advance(1e9)
    await closed
    expect(await running).not.toBeInstanceOf(ServerError)
  })

  test.each(['-1', 'soon', '1.5', String(MAX_EXECUTE_DELAY_MS + 1)])(
    'the value %s is refused',
    async (ms) => {
      await expect(open(ms)).rejects.toThrow(`got '${ms}'`)
    },
  )
})
