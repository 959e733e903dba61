import { ServerError } from '../../core/errors.ts'

/** Anything ONNX Runtime failed with, in the words of Triton's backend; a ServerError stays what it is. */
export function onnxError(error: unknown): ServerError {
  if (error instanceof ServerError) return error
  if (error instanceof Error && 'code' in error && typeof error.code === 'number') {
    return new ServerError('INTERNAL', `onnx runtime error ${error.code}: ${error.message}`, {
      cause: error,
    })
  }
  return ServerError.from(error)
}
