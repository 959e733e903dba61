import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { ModelStore } from '../platform.ts'
import type { ModelFiles } from './snapshot.ts'
import { MAX_FILES_PER_MODEL, MAX_SCAN_DEPTH } from './snapshot.ts'

/** The model config's parameter that says what a model takes of `--model-memory-budget`, in bytes. */
export const MEMORY_PARAMETER = 'nereid_memory_bytes'

/**
 * What a model counts for: what its config says, else the size of the files in the folders of `versions`. Weights are most of
 * what a model takes, and they are as large in memory as on disk; who knows better says so in the config.
 */
export async function modelSize(
  { name, view, path }: ModelFiles,
  versions: readonly number[],
  config: ModelConfig,
  signal?: AbortSignal,
): Promise<number> {
  const said = config.parameters?.[MEMORY_PARAMETER]?.string_value
  if (said !== undefined) {
    const bytes = Number(said)
    if (/^\d+$/.test(said) && Number.isSafeInteger(bytes)) return bytes
    throw new ServerError(
      'INVALID_ARG',
      `parameter '${MEMORY_PARAMETER}' of model '${name}' must be a number of bytes, got '${said.slice(0, 80)}'`,
    )
  }
  let bytes = 0
  for (const version of versions) bytes += await sizeBelow(view, `${path}/${version}`, signal)
  return bytes
}

async function sizeBelow(store: ModelStore, folder: string, signal?: AbortSignal): Promise<number> {
  let bytes = 0
  let files = 0
  const open = [{ folder, depth: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const { path, kind } of await store.list(next.folder, signal)) {
      if (kind === 'directory') {
        if (next.depth < MAX_SCAN_DEPTH) open.push({ folder: path, depth: next.depth + 1 })
      } else if (files++ < MAX_FILES_PER_MODEL) {
        bytes += (await store.stat(path, signal))?.size ?? 0
      }
    }
  }
  return bytes
}
