import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

/** Fields of model_config.proto as data: `[number, type, oneof?]` by message and name. */
export interface Schema {
  readonly enums: Readonly<Record<string, readonly string[]>>
  readonly messages: Readonly<
    Record<string, Readonly<Record<string, readonly [number, string, string?]>>>
  >
}

export const schemaPath: string = fileURLToPath(
  new URL('../../fixtures/config/schema.json', import.meta.url),
)

/** The ModelConfig type for protobufjs, built from the fixture and from nothing of ours. */
export function protobufType(): protobuf.Type {
  const schema: Schema = JSON.parse(readFileSync(schemaPath, 'utf8'))
  const flat = (name: string): string => name.replaceAll('.', '_')
  const lines = ['syntax = "proto3";']
  for (const [name, values] of Object.entries(schema.enums)) {
    const body = values.map((value, i) => `${value} = ${i};`).join(' ')
    lines.push(`message ${flat(name)}_Scope { enum ${flat(name)} { ${body} } }`)
  }
  const typeOf = (type: string): string =>
    type.replace(/[A-Z][\w.]*/g, (name) => {
      return name in schema.enums ? `${flat(name)}_Scope.${flat(name)}` : flat(name)
    })
  for (const [name, fields] of Object.entries(schema.messages)) {
    const groups = new Map<string, string[]>()
    for (const [field, [number, type, oneof = '']] of Object.entries(fields)) {
      groups.set(oneof, [...(groups.get(oneof) ?? []), `${typeOf(type)} ${field} = ${number};`])
    }
    const body = [...groups].map(([oneof, group]) => {
      return oneof === '' ? group.join(' ') : `oneof ${oneof} { ${group.join(' ')} }`
    })
    lines.push(`message ${flat(name)} { ${body.join(' ')} }`)
  }
  return protobuf.parse(lines.join('\n'), { keepCase: true }).root.lookupType('ModelConfig')
}
