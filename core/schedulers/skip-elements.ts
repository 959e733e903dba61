import { ServerError } from '../errors.ts'
import type { Tensor } from '../tensor.ts'

/** Where the BYTES element `count` elements after the one at `from` begins. Throws INTERNAL when there are fewer. */
export function skipElements({ name, data }: Tensor, from: number, count: number): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  let at = from
  for (let i = 0; i < count; i++) {
    if (at + 4 > data.length) at = data.length + 1
    else at += 4 + view.getUint32(at, true)
    if (at > data.length) {
      throw new ServerError('INTERNAL', `output '${name}' has fewer strings than its shape`)
    }
  }
  return at
}
