import { expect, it } from 'vitest'
import { parseModelVersion } from '../../../../core/protocol/grpc/model-version.ts'
import { failure } from './schema.ts'

it.each([
  ['', ''],
  ['1', '1'],
  ['01', '1'],
  ['+1', '1'],
  [' 1', '1'],
  ['1abc', '1'],
  ['0', '0'],
  ['-0', '0'],
  ['9223372036854775807', '9223372036854775807'],
])('version %j is %j, as C reads numbers', (text, version) => {
  expect(parseModelVersion(text)).toBe(version)
})

it.each(['x', '- 1', '-', '9223372036854775808', '99999999999999999999'])(
  'version %j is no number',
  (text) => {
    expect(failure(() => parseModelVersion(text))).toBe(
      `INVALID_ARG: failed to get model version from specified version string '${text}' (details: stol), version should be an integral value > 0`,
    )
  },
)

it('a negative version is not one', () => {
  expect(failure(() => parseModelVersion('-1'))).toBe(
    "INVALID_ARG: invalid model version specified '-1' , version should be an integral value > 0",
  )
})
