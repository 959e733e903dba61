import { expect, test } from 'vitest'
import { packAnswers } from '../../../adapters/backends/typescript-answers.ts'
import { Calls, MAX_CALLS } from '../../../adapters/backends/typescript-calls.ts'
import { ReceivedRequest } from '../../../adapters/backends/typescript-request.ts'
import type { ModelResponse, Parameters } from '../../../core/model-api/types.ts'

const odd = { odd: { not: 'a value' } } as unknown as Parameters

test('calls that cannot be made take no place from others', async () => {
  const calls = new Calls(() => undefined)
  for (let i = 0; i <= MAX_CALLS; i++) {
    await expect(calls.infer('m', {}, { parameters: odd })).rejects.toThrow(
      "parameter 'odd' is a object",
    )
    await expect(calls.infer('m', {}, { sequenceId: 1.5 as unknown as bigint })).rejects.toThrow(
      RangeError,
    )
  }
})

test('an answer with parameters that are none fails alone', () => {
  const request = new ReceivedRequest(
    {
      id: '',
      inputs: [],
      outputs: null,
      parameters: null,
      priority: 0,
      timeoutUs: 0,
      sequenceId: 0n,
      sequenceStart: false,
      sequenceEnd: false,
      batchSize: 1,
    },
    { run: 0, index: 0, buffer: new ArrayBuffer(0) },
  )
  const given: ModelResponse[] = [{ outputs: {} }, { outputs: {}, parameters: odd }]
  const rules = { datatypes: new Map(), batching: false }
  expect(packAnswers(given, [request, request], rules).answers).toEqual([
    { outputs: [], parameters: null },
    { code: 'INTERNAL', message: "wrong answer: parameter 'odd' is a object" },
  ])
})
