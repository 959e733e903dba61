import { describe, expect, test } from 'vitest'
import type { ModelConfig } from '../../../../core/config/types.ts'
import { ServerError } from '../../../../core/errors.ts'
import { execute, requestOf } from '../../../contract/backend.ts'
import { floats } from './asks.ts'
import { backend, folder, MISSING, modelOf } from './rig.ts'

/** Adds one to each element; a number below 0 ends its process, once it has waited a moment. */
const CODE = `
import os, time
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        x = pb_utils.get_input_tensor_by_name(requests[0], "X").as_numpy()
        if x[0] < 0:
            time.sleep(0.05)
            os._exit(1)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", x + 1)])]
`

const CONFIG: ModelConfig = {
  name: 'm',
  backend: 'python',
  input: [{ name: 'X', data_type: 'TYPE_FP32', dims: [-1] }],
  output: [{ name: 'Y', data_type: 'TYPE_FP32', dims: [-1] }],
}

async function open() {
  const model = await backend().load(modelOf(folder(), 'm', CODE, { config: CONFIG }))
  const placement = { name: 'm_0', kind: 'KIND_CPU', device: 0 } as const
  const instance = await model.instance(placement, CONFIG)
  const ahead = instance.ahead ?? []
  return { model, instance, lanes: [instance, ...ahead], ahead }
}

describe.skipIf(MISSING !== undefined)(`batches that are sent ahead (${MISSING ?? ''})`, () => {
  const value = (result: Awaited<ReturnType<typeof execute>>): number | string => {
    if (result instanceof ServerError) return result.code
    const given = result.answers?.[0] ?? result
    if (given instanceof ServerError) return given.code
    const { buffer } = Uint8Array.from(given.outputs[0]?.data ?? [])
    return new DataView(buffer).getFloat32(0, true)
  }

  test('are all answered, each with its own', async () => {
    const { model, lanes } = await open()
    expect(lanes.length).toBeGreaterThan(1)
    for (let round = 0; round < 20; round++) {
      const results = await Promise.all(
        lanes.map((lane, i) => execute(lane, [requestOf([floats('X', [round * 10 + i])])])),
      )
      expect(results.map(value)).toEqual(lanes.map((_, i) => round * 10 + i + 1))
    }
    await model.close()
  })

  test('are run by the next worker when one ends before it has begun them', async () => {
    const { model, lanes } = await open()
    const results = await Promise.all(
      lanes.map((lane, i) => execute(lane, [requestOf([floats('X', [i === 0 ? -1 : i])])])),
    )
    expect(results.map(value)).toEqual(['INTERNAL', 2, 3, 4])
    await model.close()
  })

  test('fail with the worker that they end one after the other, and none is lost', async () => {
    const { model, lanes } = await open()
    const results = await Promise.all(
      lanes.map((lane, i) => execute(lane, [requestOf([floats('X', [i < 2 ? -1 : i])])])),
    )
    expect(results.map(value)).toEqual(['INTERNAL', 'INTERNAL', 3, 4])
    await model.close()
  })

  test('a close waits for them, and a lane takes one at a time', async () => {
    const { model, instance, ahead } = await open()
    const [lane] = ahead
    if (lane === undefined) throw new Error('there is no lane')
    const running = [instance, lane].map((one) => execute(one, [requestOf([floats('X', [1])])]))
    expect(value(await execute(lane, [requestOf([floats('X', [1])])]))).toBe('INTERNAL')
    await model.close()
    expect((await Promise.all(running)).map(value)).toEqual([2, 2])
    expect(value(await execute(lane, [requestOf([floats('X', [1])])]))).toBe('INTERNAL')
  })

  test('none is taken ahead while there is no worker', async () => {
    const { model, instance, ahead } = await open()
    await execute(instance, [requestOf([floats('X', [-1])])])
    expect(ahead.map(({ ready }) => ready)).toEqual(ahead.map(() => false))
    await model.close()
  })
})
