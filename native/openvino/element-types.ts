import type { OpenVinoApi } from './api.ts'
import { createTensor } from './tensor.ts'

/** ov_element_type_e of the types that are used, with the bytes of one element. */
export const ELEMENT_TYPES = {
  boolean: [1, 1],
  bf16: [2, 2],
  f16: [3, 2],
  f32: [4, 4],
  f64: [5, 8],
  i8: [7, 1],
  i16: [8, 2],
  i32: [9, 4],
  i64: [10, 8],
  u8: [16, 1],
  u16: [17, 2],
  u32: [18, 4],
  u64: [19, 8],
} as const

export const STRING_ELEMENT = 23

/**
 * Throws where the library numbers its types in another way than this table: they moved by one in 2025, and a tensor of the
 * wrong type is read beyond its end.
 */
export function checkElementTypes(api: OpenVinoApi): void {
  for (const [name, [type, bytes]] of Object.entries(ELEMENT_TYPES)) {
    if (bytesOf(api, type) === bytes) continue
    throw new Error(
      `OpenVINO ${api.version} at ${api.path} has another number for ${name}: 2025.1 or later is needed`,
    )
  }
}

/** Bytes of one element; 0 where there is no tensor of that type. */
function bytesOf(api: OpenVinoApi, type: number): number {
  let tensor = 0
  try {
    tensor = createTensor(api, type, [1])
    return api.result((out) => api.tensorByteSize(tensor, out))
  } catch {
    return 0
  } finally {
    if (tensor !== 0) api.freeTensor(tensor)
  }
}
