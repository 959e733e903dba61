import { lstat, mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { messageOf, ServerError } from '../../core/errors.ts'

/** Changes when what lies in the folder means something else. */
const LAYOUT = 'v1'

/** Where below the folder that a user names everything of ours is. */
export function copiesBelow(folder: string): string {
  return join(resolve(folder), LAYOUT)
}

/** Makes the folder, and refuses one in which others could put models: /tmp is everybody's. Throws INVALID_ARG. */
export async function makePrivate(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const { uid, mode } = await lstat(folder)
    if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
      throw new Error('it belongs to, or can be written by, another user')
    }
  } catch (error) {
    throw new ServerError(
      'INVALID_ARG',
      `cannot keep copies of models in '${folder}': ${messageOf(error)}; name another folder with --repository-cache-directory`,
      { cause: error },
    )
  }
}
