import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ENUMS } from '../../../core/config/enums.ts'
import { type Field, MESSAGES } from '../../../core/config/fields.ts'
import { type Schema, schemaPath } from './schema.ts'

const schema: Schema = JSON.parse(readFileSync(schemaPath, 'utf8'))

test('the table holds exactly the fields, numbers, types and oneofs of model_config.proto', () => {
  compare('ModelConfig', 'ModelConfig', new Set())
})

function compare(ours: string, theirs: string, seen: Set<string>): void {
  if (seen.has(theirs)) return
  seen.add(theirs)
  const expected = schema.messages[theirs]!
  const fields = MESSAGES[ours]!
  expect(fields.map((field) => field.name).sort(), theirs).toEqual(Object.keys(expected).sort())
  for (const field of fields) {
    const [number, type, oneof] = expected[field.name]!
    const bare = type.replace(/^repeated |^map<\w+, |>$/g, '')
    expect({ number: field.number, oneof: field.oneof, label: field.label }, field.name).toEqual({
      number,
      oneof,
      label: labelOf(type),
    })
    if (field.label === 'map') expect(type).toContain(`map<${field.key}, `)
    checkType(field, bare)
    if (field.kind === 'message') compare(field.message!, bare, seen)
  }
}

function labelOf(type: string): Field['label'] {
  if (type.startsWith('map<')) return 'map'
  return type.startsWith('repeated ') ? 'many' : 'one'
}

function checkType(field: Field, type: string): void {
  if (field.kind === 'enum') expect(ENUMS[field.enumName!]).toEqual(schema.enums[type])
  else if (field.kind === 'message') expect(Object.keys(schema.messages)).toContain(type)
  else expect(field.kind).toBe(type)
}
