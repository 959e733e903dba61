import { expect, test } from 'vitest'
import { completeConfig } from '../../../core/config/autocomplete.ts'
import { configToJson } from '../../../core/config/config-json.ts'
import { configFromJson } from '../../../core/config/config-json-reader.ts'
import { inferBackend } from '../../../core/config/infer-backend.ts'
import { normalizeConfig } from '../../../core/config/normalize.ts'
import { parseConfig } from '../../../core/config/pbtxt-parser.ts'
import { printConfig } from '../../../core/config/pbtxt-printer.ts'
import { validateConfig } from '../../../core/config/validate.ts'
import { ServerError } from '../../../core/errors.ts'
import { mutate, seededRandom, TEXTS } from './texts.ts'

const SEED = 1123
const TEXT_MUTANTS = 100_000
const JSON_MUTANTS = 20_000

const io = {
  inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [-1, 16] }],
  outputs: [{ name: 'OUTPUT0', datatype: 'FP32', shape: [-1, 16] }],
} as const

/** Everything a config goes through between its text and the backend. */
function useConfig(config: ReturnType<typeof parseConfig>): void {
  const named = inferBackend({ files: ['model.onnx'], modelName: 'm', config })
  const options = { modelName: config.name || 'm', gpus: [] }
  const complete = normalizeConfig(
    completeConfig(normalizeConfig(named, options), io, options),
    options,
  )
  JSON.stringify(configToJson(complete))
  validateConfig(complete, options)
}

/** True when `run` came to an end by itself; anything but a ServerError fails the test. */
function survives(run: () => void, text: string): boolean {
  try {
    run()
    return true
  } catch (error) {
    if (error instanceof ServerError) {
      expect(error.message.length, `message too long, seed ${SEED}: ${text}`).toBeLessThan(2_000)
      return false
    }
    throw new Error(`seed ${SEED}: ${JSON.stringify(text)}`, { cause: error })
  }
}

test(`${TEXT_MUTANTS} mutated texts (seed ${SEED}) end in a config or a clear error`, () => {
  const random = seededRandom(SEED)
  let read = 0
  let sound = 0
  for (let i = 0; i < TEXT_MUTANTS; i++) {
    const text = mutate(TEXTS[i % TEXTS.length] ?? '', random)
    let config: ReturnType<typeof parseConfig> | undefined
    survives(() => {
      config = parseConfig(text)
    }, text)
    if (config === undefined) continue
    read += 1
    const parsed = config
    if (survives(() => useConfig(parsed), text)) sound += 1
    if (read % 50 === 0) expect(parseConfig(printConfig(parsed))).toEqual(parsed)
  }
  expect(read).toBeGreaterThan(TEXT_MUTANTS / 10)
  expect(sound).toBeGreaterThan(TEXT_MUTANTS / 100)
})

test(`${JSON_MUTANTS} mutated JSON configs (seed ${SEED}) end in a config or a clear error`, () => {
  const random = seededRandom(SEED)
  const texts = TEXTS.map((text) => JSON.stringify(configToJson(parseConfig(text))))
  let read = 0
  for (let i = 0; i < JSON_MUTANTS; i++) {
    const text = mutate(texts[i % texts.length] ?? '', random)
    if (survives(() => useConfig(configFromJson(text, { what: 'config override' })), text))
      read += 1
  }
  expect(read).toBeGreaterThan(0)
})
