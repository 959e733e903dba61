import { ServerError } from '../../core/errors.ts'
import { archiveBytes } from './archive-bytes.ts'
import type { RoomForModel } from './types.ts'

export interface MemoryRoomOptions {
  /** Bytes that this process may take, models and all. */
  readonly limit: number
  /** Bytes that it takes now. */
  readonly resident: () => number
}

/**
 * Refuses loads for which memory would not do, so that SageMaker unloads another model before the machine ends this process.
 * A model takes at least what its files do; what loads under way have not taken yet counts as taken.
 */
export function memoryRoom({ limit, resident }: MemoryRoomOptions): RoomForModel {
  let promised = 0
  return async (archive) => {
    const bytes = await archiveBytes(archive)
    const taken = resident() + promised
    if (taken + bytes > limit) {
      throw new ServerError(
        'UNAVAILABLE',
        `out of memory: the model takes ${bytes} bytes or more, ${taken} of ${limit} are in use`,
      )
    }
    promised += bytes
    return () => {
      promised -= bytes
    }
  }
}
