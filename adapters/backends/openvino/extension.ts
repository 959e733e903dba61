import type { ModelSource } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { safeJoin } from '../../../core/paths.ts'
import type { Core } from '../../../native/openvino/runtime.ts'
import { openVinoError } from './error.ts'

/** The server's own list of libraries that a config may name by their absolute paths: `--backend-config=openvino,extensions=A:B`. */
const SETTING = 'extensions'

/**
 * Adds the library that a config's CPU_EXTENSION_PATH names: a file of the model's folder, or an absolute path that the
 * server's command line allows. A config alone, which may come from a client, must not have any library loaded.
 */
export async function addExtension(
  core: Core,
  source: ModelSource,
  name: string | undefined,
): Promise<void> {
  if (name === undefined) return
  const path = await pathOf(source, name)
  try {
    core.addExtension(path)
  } catch (error) {
    throw openVinoError(error, ' loading custom CPU extensions')
  }
}

async function pathOf(source: ModelSource, name: string): Promise<string> {
  const { store, modelPath, versionPath, settings } = source
  if (name.startsWith('/')) {
    if (settings.get(SETTING)?.split(':').includes(name) === true) return name
    throw new ServerError(
      'INVALID_ARG',
      `CPU_EXTENSION_PATH '${name}' of model '${source.name}' is not allowed: put the library into the model's folder and name it ` +
        `relative to that, or start the server with --backend-config=openvino,${SETTING}=${name}`,
    )
  }
  for (const folder of [versionPath, modelPath]) {
    const path = safeJoin(folder, name)
    if ((await store.stat(path))?.kind !== 'file') continue
    if (store.localPath !== undefined) return store.localPath(path)
  }
  throw new ServerError(
    'UNAVAILABLE',
    `unable to find CPU_EXTENSION_PATH '${name}' of model '${source.name}' on this machine's disk`,
  )
}
