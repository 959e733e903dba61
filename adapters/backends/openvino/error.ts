import { ServerError } from '../../../core/errors.ts'

/** Anything OpenVINO failed with, in the words of Triton's backend; a ServerError stays what it is. */
export function openVinoError(error: unknown, doing: string): ServerError {
  if (error instanceof ServerError) return error
  if (error instanceof Error && 'status' in error && typeof error.status === 'number') {
    const text = `openvino error in ${doing} : ${error.message}`
    return new ServerError('INTERNAL', text, { cause: error })
  }
  return ServerError.from(error)
}
