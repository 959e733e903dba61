import { describe, test } from 'vitest'
import { backendContract } from '../../../contract/backend.ts'
import { fixture as onnxFixture } from '../onnx-fixtures.ts'
import { backendOf, LIBRARY, missing, openVinoModels } from './fixtures.ts'

const unsupported = { INT64: "OpenVINO's CPU computes 64-bit integers in 32 bits" }
const inlineOnly = { exceptions: { cancel: 'an inline run ends before anybody can cancel it' } }

if (LIBRARY === undefined) {
  test.skip(`the openvino backend keeps the contract${missing}`)
} else {
  for (const inline of ['auto', 'always', 'never'] as const) {
    backendContract({
      name: `openvino (inline ${inline})`,
      create: () => backendOf(inline),
      models: openVinoModels,
      unsupported,
      ...(inline === 'always' ? inlineOnly : {}),
    })
  }
  describe('on ONNX files', () => {
    backendContract({
      name: 'openvino',
      create: () => backendOf(),
      models: {
        identity: (datatype) => onnxFixture(`identity_${datatype.toLowerCase()}`),
        addSub: onnxFixture('add_sub'),
      },
      unsupported: {
        ...unsupported,
        BYTES: "its CPU's Identity copies strings as if they were numbers",
      },
    })
  })
}
