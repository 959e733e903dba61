import { readdirSync, readFileSync } from 'node:fs'
import { fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { ModelConfigSchema } from '../../../../adapters/grpc/messages/model_config_pb.ts'
import { configToJson } from '../../../../core/config/config-json.ts'
import { configFromJson } from '../../../../core/config/config-json-reader.ts'
import { parseConfig } from '../../../../core/config/pbtxt-parser.ts'
import { ANSWERS } from '../../../core/config/texts.ts'

const REPOSITORY = new URL('../../../fixtures/recorded/repository/', import.meta.url)
const written = readdirSync(REPOSITORY).flatMap((name) => {
  try {
    const text = readFileSync(new URL(`${name}/config.pbtxt`, REPOSITORY), 'utf8')
    return [{ name, config: configToJson(parseConfig(text)) }]
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return []
    throw error
  }
})
const configs = [...ANSWERS, ...written].map(({ name, config }) => [name, config] as const)

describe('a config through the message is the config of the endpoint:', () => {
  test.each(configs)('%s', (_, config) => {
    const bytes = toBinary(ModelConfigSchema, fromJson(ModelConfigSchema, config as never))
    const json = toJson(ModelConfigSchema, fromBinary(ModelConfigSchema, bytes), {
      useProtoFieldName: true,
    })
    const again = configFromJson(JSON.stringify(json), { what: 'config' })
    expect(configToJson(again)).toEqual(config)
  })
})

test('keys of maps are the user’s, whatever they are', () => {
  const metric_tags = Object.fromEntries([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ])
  const message = fromJson(ModelConfigSchema, configToJson({ metric_tags }) as never)
  const bytes = toBinary(ModelConfigSchema, message)
  expect(Object.entries(fromBinary(ModelConfigSchema, bytes).metricTags)).toEqual(
    Object.entries(metric_tags),
  )
})
