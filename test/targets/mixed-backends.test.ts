import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildServer, ROOT, type Serving, serve, stopAll } from './child.ts'

const PYTHON = join(ROOT, '.cache/python/core/bin/python')
const MISSING = existsSync(PYTHON) ? '' : 'no Python with numpy: run test/python/setup.sh core'
if (MISSING !== '') console.log(`skipped: one ensemble of all backends (${MISSING})`)

const SIDE = 8
const INK = 16
const PICTURES = 24
const NAMES = 'zero one two three four five six seven eight nine'.split(' ')
const bytes = readFileSync(join(ROOT, 'test/fixtures/digits/test-set.bin'))
const labels = readFileSync(join(ROOT, 'test/fixtures/digits/test-set-labels.bin'))

interface Values {
  readonly shape: readonly number[]
  readonly data: readonly (string | number)[]
}
interface Output extends Values {
  readonly name: string
}

let server: Serving

async function infer(model: string, name: string, { shape, data }: Values, datatype: string) {
  const answer = await fetch(`${server.url}/v2/models/${model}/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name, datatype, shape, data }] }),
  })
  const body = (await answer.json()) as { error?: string; outputs: readonly Output[] }
  expect(body.error).toBeUndefined()
  return (wanted: string): Output => body.outputs.find((one) => one.name === wanted) as Output
}

/** A picture of the test set's digit `index` as PNG, in base64. `grey` = how much of it is covered by a grey haze. */
async function picture(index: number, grey: number): Promise<string> {
  const pixels = bytes.subarray(index * SIDE * SIDE, (index + 1) * SIDE * SIDE)
  const ink = Uint8Array.from(pixels, (one) => 255 - ((one * (1 - grey) + 8 * grey) * 255) / INK)
  const image = sharp(ink, { raw: { width: SIDE, height: SIDE, channels: 1 } })
  return (await image.resize(64, 64, { kernel: 'nearest' }).png().toBuffer()).toString('base64')
}

describe.skipIf(MISSING !== '')('one ensemble of sharp, ONNX Runtime, Python and trees', () => {
  beforeAll(async () => {
    buildServer()
    server = await serve([
      `--model-repository=${join(ROOT, 'models')}`,
      `--model-repository=${join(ROOT, 'test/fixtures/mixed/models')}`,
      '--model-control-mode=explicit',
      '--load-model=photo_review',
      `--backend-config=python,python-runtime=${PYTHON}`,
    ])
  })
  afterAll(stopAll)

  test('reads digits, and says what the same models say one by one', async () => {
    const data = await Promise.all(Array.from({ length: 16 }, (_, i) => picture(i, 0)))
    const whole = await infer('photo_review', 'IMAGE', { shape: [16, 1], data }, 'BYTES')
    const right = whole('label').data.filter((label, i) => label === NAMES[labels[i] as number])
    expect(right.length).toBeGreaterThanOrEqual(15)

    const pixels = await infer('digit_photo_pixels', 'IMAGE', { shape: [16, 1], data }, 'BYTES')
    const scores = await infer('digits', 'image', pixels('pixels'), 'FP32')
    const doubts = await infer('digit_doubt', 'scores', scores('scores'), 'FP32')
    const trust = await infer('digit_trust', 'input__0', doubts('doubts'), 'FP32')
    expect(whole('trust').data).toEqual(trust('output__0').data)
    expect(whole('trust').shape).toEqual([16, 1])
  })

  test('trusts what is clear more than what can hardly be seen', async () => {
    const mean = async (grey: number): Promise<number> => {
      const trusts = await Promise.all(
        Array.from({ length: PICTURES }, async (_, i) => {
          const data = [await picture(i, grey)]
          const answer = await infer('photo_review', 'IMAGE', { shape: [1, 1], data }, 'BYTES')
          return answer('trust').data[0] as number
        }),
      )
      return trusts.reduce((sum, one) => sum + one, 0) / trusts.length
    }
    const [clear, hazy] = [await mean(0), await mean(0.9)]
    expect(clear).toBeGreaterThan(0.85)
    expect(hazy).toBeLessThan(0.7)
  })
})
