import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { onnxBackend } from '../../../../adapters/backends/onnx.ts'
import { diskStore } from '../../../../adapters/stores/disk.ts'
import type { Backend, ModelSource } from '../../../../core/backend/types.ts'
import type { ModelConfig } from '../../../../core/config/types.ts'
import { execute, floats, floatsOf, outputOf, requestOf } from '../../../contract/backend.ts'
import { realClock, silentLog } from '../onnx-fixtures.ts'
import { backendOf, LIBRARY, missing, parameters } from './fixtures.ts'

const file = (path: string) => fileURLToPath(new URL(`../../../../${path}`, import.meta.url))
const pixels = readFileSync(file('test/fixtures/digits/test-set.bin'))
const labels = [...readFileSync(file('test/fixtures/digits/test-set-labels.bin'))]
const PIXELS = 64
const BATCH = 60

function digits(config: ModelConfig): ModelSource {
  return {
    name: 'digits',
    version: 1,
    config: { max_batch_size: BATCH, default_model_filename: 'model.onnx', ...config },
    settings: new Map(),
    store: diskStore({ root: file('models/digits') }),
    modelPath: '',
    versionPath: '1',
    log: silentLog,
  }
}

/** The digit that scores highest, for each image of the test set. */
async function answers(backend: Backend, config: ModelConfig = {}): Promise<number[]> {
  const source = digits(config)
  const model = await backend.load(source)
  const instance = await model.instance(
    { name: 'digits_0', kind: 'KIND_CPU', device: 0 },
    source.config,
  )
  const best: number[] = []
  for (let at = 0; at < labels.length; at += BATCH) {
    const rows = Math.min(BATCH, labels.length - at)
    const data = floats([...pixels.subarray(at * PIXELS, (at + rows) * PIXELS)])
    const image = { name: 'image', datatype: 'FP32', shape: [rows, 1, 8, 8], data } as const
    const scores = floatsOf(outputOf(await execute(instance, [requestOf([image], rows)]), 'scores'))
    for (let row = 0; row < rows; row++) {
      const own = scores.slice(row * 10, row * 10 + 10)
      best.push(own.indexOf(Math.max(...own)))
    }
  }
  await model.close()
  await backend.close?.()
  return best
}

test.skipIf(LIBRARY === undefined)(
  `handwritten digits are read by OpenVINO as by ONNX Runtime, and as well in the precision of its choice${missing}`,
  async () => {
    const expected = await answers(onnxBackend({ clock: realClock }))
    const exact = parameters({ INFERENCE_PRECISION_HINT: 'f32' })
    expect(await answers(backendOf(), exact)).toEqual(expected)
    const right = (given: readonly number[]) =>
      given.filter((digit, i) => digit === labels[i]).length / labels.length
    expect(right(expected)).toBeGreaterThan(0.97)
    expect(right(await answers(backendOf()))).toBeGreaterThan(0.97)
  },
)
