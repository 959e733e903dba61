import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ModelSource } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'

/** Files and folders of a model that is copied. */
export const MAX_COPIED_ENTRIES = 10_000

/** A model's folder on this machine's disk. */
export interface ModelCopy {
  readonly folder: string
  /** Removes it. Idempotent. */
  close(): Promise<void>
}

/** Copies a model that came with a load request to where Python can read it. */
export async function copyModel(
  { store, modelPath, name }: ModelSource,
  signal?: AbortSignal,
): Promise<ModelCopy> {
  const root = await mkdtemp(join(tmpdir(), 'nereid-model-'))
  const close = (): Promise<void> => rm(root, { recursive: true, force: true })
  try {
    const folder = join(root, 'model')
    await mkdir(folder)
    const open = [modelPath]
    let entries = 0
    for (let path = open.pop(); path !== undefined; path = open.pop()) {
      for (const entry of await store.list(path, signal)) {
        if (++entries > MAX_COPIED_ENTRIES) {
          throw new ServerError(
            'INVALID_ARG',
            `model '${name}' has more than ${MAX_COPIED_ENTRIES} files`,
          )
        }
        if (entry.kind === 'directory') {
          open.push(entry.path)
          continue
        }
        // Paths of a store are safe.
        const file = join(folder, entry.path.slice(modelPath.length))
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, await store.read(entry.path, signal))
      }
    }
    return { folder, close }
  } catch (error) {
    await close()
    throw error
  }
}
