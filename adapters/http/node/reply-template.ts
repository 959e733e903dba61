import type { InferResponse } from '../../../core/infer.ts'
import type {
  EncodedResponse,
  RequestedOutput,
  ResponseFormat,
} from '../../../core/protocol/rest/types.ts'
import type { ReplyTemplate } from './header-memo.ts'

/**
 * The JSON of a reply whose outputs are all binary tensors as they are, or in shared memory: it is the same for every answer of the same
 * shapes. null where it is not: JSON data, classes, response parameters. `encoded` is `answer` as it is sent with `id`,
 * which needs no escape (see splitId) and is taken off again.
 */
export function makeTemplate(
  format: ResponseFormat,
  answer: InferResponse,
  encoded: EncodedResponse,
  id: string,
): ReplyTemplate | null {
  const { outputs } = answer
  if (answer.parameters !== undefined) return null
  const listed = format.outputs
  if (listed === null ? !format.binaryDefault : !listed.every(isBytes)) return null
  const { json, tails } = encoded
  const regions = outputs.map(
    ({ name }) => listed?.find((one) => one.name === name)?.region ?? null,
  )
  // Every output must be written as the bytes it has, in the same order.
  let next = 0
  for (let i = 0; i < outputs.length; i++) {
    if (regions[i] === null && tails[next++] !== outputs[i]?.data) return null
  }
  if (next !== tails.length) return null
  return {
    names: outputs.map((output) => output.name),
    shapes: outputs.map((output) => output.shape),
    sizes: outputs.map((output) => output.data.length),
    json: withoutId(json, id),
    tailBytes: tails.reduce((sum, tail) => sum + tail.length, 0),
    regions: regions.some((region) => region !== null) ? regions : null,
  }
}

function isBytes({ binary, classification, region }: RequestedOutput): boolean {
  return classification === 0 && (binary || Boolean(region))
}

/** What `{"id":"…",` is long, the id aside. */
const ID_MEMBER_BYTES = 9

/** `json` without its first member, the id. */
function withoutId(json: Uint8Array, id: string): Buffer {
  if (id === '') return Buffer.from(json)
  const rest = Buffer.from(json.subarray(id.length + ID_MEMBER_BYTES - 1))
  rest[0] = 0x7b
  return rest
}
