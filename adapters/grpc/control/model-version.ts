import { ServerError } from '../../../core/errors.ts'
import type { InferenceServer } from '../../../core/server-types.ts'

/** Throws what {@link InferenceServer.model} has to say of the text of a version, and nothing else. */
export function checkVersion(server: InferenceServer, name: string, version: string): void {
  try {
    server.model(name, version)
  } catch (error) {
    if (error instanceof ServerError && error.code === 'INVALID_ARG') throw error
  }
}
