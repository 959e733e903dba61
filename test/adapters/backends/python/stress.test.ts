import { describe, expect, test } from 'vitest'
import { type Asked, ask } from './asks.ts'
import { MISSING, serveModels } from './rig.ts'

const IO = `
  input [ { name: "X" data_type: TYPE_FP32 dims: [ -1 ] } ]
  output [ { name: "Y" data_type: TYPE_FP32 dims: [ -1 ] } ]
  instance_group [ { kind: KIND_CPU count: 2 } ]
`
/** Doubles; dies where the first number is negative, and keeps inputs of some requests for a while. */
const CODE = `
import os, signal
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args): self.kept = []
    def execute(self, requests):
        responses = []
        for request in requests:
            x = request.inputs()[0].as_numpy()
            if x[0] < 0: os.kill(os.getpid(), signal.SIGKILL)
            self.kept = [*self.kept[-3:], x]
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", x * 2)]))
        return responses
`

describe.skipIf(MISSING !== undefined)(`under stress (${MISSING ?? ''})`, () => {
  test('answers that are held stay what they were while workers are killed', async () => {
    const serving = await serveModels({ m: { config: IO, code: CODE } })
    const collect = (globalThis as { gc?: () => void }).gc
    const inputOf = (first: number, count: number) => {
      const values = new Float32Array(count).fill(first)
      return {
        name: 'X',
        datatype: 'FP32',
        shape: [count],
        data: new Uint8Array(values.buffer),
      } as const
    }
    const held: { readonly data: Uint8Array; readonly value: number }[] = []
    let failed = 0
    for (let round = 0; round < 6; round++) {
      const asked: [number, Asked][] = []
      for (let i = 1; i <= 24; i++) {
        const value = round * 100 + i
        // Some answers are copied, some are views.
        const count = i % 3 === 0 ? 100_000 : 1_000
        const first = i === 13 ? -1 : value
        asked.push([value, ask(serving, 'm', [inputOf(first, count)])])
      }
      for (const [value, { done }] of asked) {
        const [answer] = await done
        if (answer === null || answer === undefined || answer instanceof Error) {
          failed++
          continue
        }
        const data = answer.outputs[0]?.data as Uint8Array
        // A third is given back, a third is kept for good, and one is forgotten.
        if (value % 3 === 0) answer.release?.()
        else if (value % 3 === 1) held.push({ data, value })
      }
      collect?.()
      for (const { data, value } of held) {
        const numbers = new Float32Array(data.slice().buffer)
        expect([numbers[0], numbers.at(-1)]).toEqual([value * 2, value * 2])
      }
    }
    // The one that killed its worker, and at most what was beside it.
    expect(failed).toBeGreaterThanOrEqual(6)
    expect(failed).toBeLessThanOrEqual(12)
  })
})
