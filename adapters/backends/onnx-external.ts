import { lstat, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { ServerError } from '../../core/errors.ts'
import { safeName } from '../../core/paths.ts'

export interface ExternalFiles {
  /** The model file, for messages. */
  readonly model: string
  /** Where ONNX Runtime looks for its external data: the model file's folder. */
  readonly folder: string
  readonly locations: ReadonlySet<string>
}

/**
 * Refuses a model that would make ONNX Runtime read anything but plain files beside it: every location must be one
 * name, no link of either kind, a regular file. Throws INVALID_ARG.
 */
export async function checkExternalFiles(files: ExternalFiles): Promise<void> {
  if (files.locations.size === 0) return
  const folder = await realpath(files.folder)
  for (const location of files.locations) {
    const problem = await problemOf(folder, location)
    if (problem === undefined) continue
    throw new ServerError(
      'INVALID_ARG',
      `model '${files.model}' refers to external data at ${JSON.stringify(location.slice(0, 80))}, ${problem}`,
    )
  }
}

async function problemOf(folder: string, location: string): Promise<string | undefined> {
  try {
    safeName(location, 'location')
  } catch {
    return 'which is not the name of a file beside it'
  }
  const path = join(folder, location)
  const stat = await lstat(path).catch(() => undefined)
  if (stat === undefined) return 'which does not exist'
  if (!stat.isFile()) return 'which is not a regular file'
  // A hard link may show any file of the same disk.
  if (stat.nlink !== 1) return 'which has more than one hard link'
  if ((await realpath(path)) !== path) return 'which lies outside its folder'
  return undefined
}
