import type { ModelIo } from '../backend/types.ts'
import { ServerError } from '../errors.ts'
import type { ModelConfig } from './types.ts'

/** What the checks of a config against its model file look at. */
export interface IoCheck {
  readonly config: ModelConfig
  readonly io: ModelIo
  readonly model: string
}

export function ioError(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}
