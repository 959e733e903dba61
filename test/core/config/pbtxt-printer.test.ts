import fc from 'fast-check'
import { expect, test } from 'vitest'
import { configToJson } from '../../../core/config/config-json.ts'
import { configFromJson } from '../../../core/config/config-json-reader.ts'
import { ENUMS } from '../../../core/config/enums.ts'
import { type Field, MESSAGES } from '../../../core/config/fields.ts'
import { parseConfig } from '../../../core/config/pbtxt-parser.ts'
import { printConfig } from '../../../core/config/pbtxt-printer.ts'
import type { ModelConfig } from '../../../core/config/types.ts'

const SEED = 77

const text = fc.string({ unit: 'binary', maxLength: 6 })

function scalar(field: Field): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'string':
      return text
    case 'bool':
      return fc.boolean()
    case 'enum':
      return fc.constantFrom(...ENUMS[field.enumName!])
    case 'message':
      return message(field.message!)
    case 'float':
      return fc.float()
    case 'double':
      return fc.double()
    case 'int32':
      return fc.integer()
    case 'uint32':
      return fc.nat(2 ** 32 - 1)
    case 'int64':
      return fc.maxSafeInteger()
    case 'uint64':
      return fc.maxSafeNat()
  }
}

function value(field: Field): fc.Arbitrary<unknown> {
  if (field.label === 'one') return scalar(field)
  if (field.label === 'many') return fc.array(scalar(field), { maxLength: 2 })
  const key = field.key === 'uint64' ? fc.maxSafeNat().map(String) : text
  return fc.dictionary(key, scalar(field), { maxKeys: 2, noNullPrototype: true })
}

/** A message with some of its fields, at most one of each oneof. */
function message(type: string): fc.Arbitrary<Record<string, unknown>> {
  const fields = MESSAGES[type]!
  return fc.subarray([...fields], { maxLength: Math.min(4, fields.length) }).chain((chosen) => {
    const taken = new Set<string>()
    const kept = chosen.filter((field) => {
      if (field.oneof === undefined) return true
      if (taken.has(field.oneof)) return false
      return taken.add(field.oneof)
    })
    return fc.record(Object.fromEntries(kept.map((field) => [field.name, value(field)])))
  })
}

test('a printed config reads back as the same config', () => {
  fc.assert(
    fc.property(message('ModelConfig'), (config) => {
      const printed = printConfig(config as ModelConfig)
      expect(parseConfig(printed), printed).toEqual(config)
    }),
    { seed: SEED, numRuns: 400 },
  )
})

test('the JSON of a config reads back as the same config', () => {
  fc.assert(
    fc.property(message('ModelConfig'), (config) => {
      const json = JSON.stringify(configToJson(config as ModelConfig))
      const again = configFromJson(json, { what: 'override' })
      expect(JSON.stringify(configToJson(again))).toBe(json)
    }),
    { seed: SEED, numRuns: 400 },
  )
})

test('a config is printed one field a line, indented by message', () => {
  const config: ModelConfig = {
    name: 'it"s',
    input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [-1, 3] }],
    metric_tags: { a: 'b' },
  }
  expect(printConfig(config)).toBe(`name: "it\\"s"
input {
  name: "x"
  data_type: TYPE_FP32
  dims: [-1, 3]
}
metric_tags {
  key: "a"
  value: "b"
}
`)
  expect(printConfig({})).toBe('')
})

test('an escaped control character does not swallow the digits after it', () => {
  const config: ModelConfig = { name: '\x0117\0', platform: '\x7f0' }
  expect(parseConfig(printConfig({ name: '\x0117' }))).toEqual({ name: '\x0117' })
  expect(printConfig(config)).toBe('name: "\\00117\\000"\nplatform: "\\1770"\n')
})
