import { readFileSync } from 'node:fs'
import { createRegistry, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { file_grpc_health_v1_health } from '../../../../adapters/grpc/messages/grpc/health/v1/health_pb.ts'
import { file_grpc_reflection_v1_reflection } from '../../../../adapters/grpc/messages/grpc/reflection/v1/reflection_pb.ts'
import { file_grpc_reflection_v1alpha_reflection } from '../../../../adapters/grpc/messages/grpc/reflection/v1alpha/reflection_pb.ts'
import { file_grpc_service } from '../../../../adapters/grpc/messages/grpc_service_pb.ts'
import { file_model_config } from '../../../../adapters/grpc/messages/model_config_pb.ts'
import { type Schema, schemaPath } from '../../../core/config/schema.ts'
import { protoRoot } from './proto-files.ts'

const FILES = [
  file_grpc_service,
  file_model_config,
  file_grpc_health_v1_health,
  file_grpc_reflection_v1_reflection,
  file_grpc_reflection_v1alpha_reflection,
]
const registry = createRegistry(...FILES)
const root = protoRoot()

function everything(space: protobuf.NamespaceBase): protobuf.ReflectionObject[] {
  return space.nestedArray.flatMap((one) =>
    one instanceof protobuf.Namespace ? [one, ...everything(one)] : [one],
  )
}
const objects = everything(root)
const types = objects.filter((one) => one instanceof protobuf.Type)
const enums = objects.filter((one) => one instanceof protobuf.Enum)
const services = objects.filter((one) => one instanceof protobuf.Service)
const nameOf = (one: protobuf.ReflectionObject): string => one.fullName.slice(1)

/** A field as both sides can say it: `[number, type, oneof]`. */
type Line = readonly [number, string, string]

function generatedFields(message: DescMessage): Record<string, Line> {
  return Object.fromEntries(
    message.fields.map((field) => [
      field.name,
      [field.number, generatedType(field), field.oneof?.name ?? ''],
    ]),
  )
}

function generatedType(field: DescField): string {
  const scalar = (type: ScalarType): string => ScalarType[type].toLowerCase()
  switch (field.fieldKind) {
    case 'scalar':
      return scalar(field.scalar)
    case 'enum':
      return field.enum.typeName
    case 'message':
      return field.message.typeName
    case 'list':
      return `repeated ${field.message?.typeName ?? field.enum?.typeName ?? scalar(field.scalar!)}`
    case 'map':
      return `map<${scalar(field.mapKey)}, ${field.message?.typeName ?? field.enum?.typeName ?? scalar(field.scalar!)}>`
  }
}

function writtenFields(type: protobuf.Type): Record<string, Line> {
  return Object.fromEntries(
    type.fieldsArray.map((field) => {
      const value = field.resolvedType === null ? field.type : nameOf(field.resolvedType)
      const kind =
        field instanceof protobuf.MapField
          ? `map<${field.keyType}, ${value}>`
          : `${field.repeated ? 'repeated ' : ''}${value}`
      return [field.name, [field.id, kind, field.partOf?.name ?? '']]
    }),
  )
}

describe('the committed messages are those of the .proto files:', () => {
  test('no message, enum or service is missing or left over', () => {
    const written = [...types, ...enums, ...services].map(nameOf).sort()
    expect(written.length).toBeGreaterThan(100)
    expect([...registry].map((one) => one.typeName).sort()).toEqual(written)
  })

  test.each(types.map((type) => [nameOf(type), type] as const))('fields of %s', (name, type) => {
    expect(generatedFields(registry.getMessage(name)!)).toEqual(writtenFields(type))
  })

  test.each(enums.map((one) => [nameOf(one), one] as const))('values of %s', (name, one) => {
    const values = registry.getEnum(name)!.values.map((value) => [value.name, value.number])
    expect(Object.fromEntries(values)).toEqual(one.values)
  })

  test.each(services.map((one) => [nameOf(one), one] as const))('methods of %s', (name, one) => {
    const methods = registry
      .getService(name)!
      .methods.map((method) => [
        ...[method.name, method.methodKind, method.input.typeName, method.output.typeName],
      ])
    const kinds = { '00': 'unary', '11': 'bidi_streaming' } as const
    expect(methods).toEqual(
      one.methodsArray.map((method) => [
        method.name,
        kinds[
          `${method.requestStream ? 1 : 0}${method.responseStream ? 1 : 0}` as keyof typeof kinds
        ],
        nameOf(method.resolvedRequestType!),
        nameOf(method.resolvedResponseType!),
      ]),
    )
  })
})

describe("the config's messages are Triton's:", () => {
  const schema: Schema = JSON.parse(readFileSync(schemaPath, 'utf8'))
  test.each(Object.keys(schema.messages))('%s', (name) => {
    const qualified = (type: string): string =>
      type.replace(/[A-Z][\w.]*/g, (one) => `inference.${one}`)
    const expected = Object.entries(schema.messages[name]!).map(
      ([field, [number, type, oneof = '']]) => [field, [number, qualified(type), oneof]],
    )
    expect(generatedFields(registry.getMessage(`inference.${name}`)!)).toEqual(
      Object.fromEntries(expected),
    )
  })

  test.each(Object.entries(schema.enums))('%s', (name, values) => {
    const found = registry.getEnum(`inference.${name}`)!.values
    expect(found.map((value) => value.name)).toEqual(values)
    expect(found.map((value) => value.number)).toEqual(values.map((_, i) => i))
  })
})
