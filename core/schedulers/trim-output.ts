import type { TrimmedOutput } from '../config/padding.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import { shapeText, type Tensor } from '../tensor.ts'
import { resizeAxis } from './resize-axis.ts'

/** A request's part of an output, as long as its own input was before it was padded. Throws INTERNAL where it is shorter. */
export function trimOutput(part: Tensor, request: InferRequest, trim: TrimmedOutput): Tensor {
  const input = request.inputs.find(({ name }) => name === trim.source)
  const length = input?.shape[trim.sourceAxis]
  if (length === undefined) return part
  let trimmed = part
  for (const axis of trim.axes) {
    const dim = part.shape[axis] ?? 0
    if (dim < length) {
      throw new ServerError(
        'INTERNAL',
        `output '${part.name}' of shape ${shapeText(part.shape)} is shorter than its input '${trim.source}' of ${length}`,
      )
    }
    if (dim > length) trimmed = resizeAxis(trimmed, axis, length, null)
  }
  return trimmed
}
