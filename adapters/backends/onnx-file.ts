import { open, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ModelSource } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'
import { checkExternalFiles } from './onnx-external.ts'
import { externalLocations } from './onnx-scan.ts'

/** A model file as a session is opened from it. */
export interface OnnxFile {
  /** How messages call it. */
  readonly path: string
  /** A path on this machine, or the file's bytes where the store has no paths. */
  readonly model: string | Uint8Array
}

const DEFAULT_NAME = 'model.onnx'
/** ONNX Runtime's own format is no protobuf and refers to no other file. */
const ORT_FORMAT = '.ort'

/**
 * Finds the model file of a version, `model.onnx` or a folder of that name with a `model.onnx` in it, and refuses it
 * when it refers to data outside its own folder.
 */
export async function findOnnxFile(source: ModelSource, signal?: AbortSignal): Promise<OnnxFile> {
  const { store } = source
  let path = safeJoin(source.versionPath, source.config.default_model_filename || DEFAULT_NAME)
  let stat = await store.stat(path, signal)
  if (stat?.kind === 'directory') {
    path = safeJoin(path, DEFAULT_NAME)
    stat = await store.stat(path, signal)
  }
  if (stat?.kind !== 'file') {
    throw new ServerError(
      'UNAVAILABLE',
      `unable to find '${store.root}/${path}' for model instance '${source.name}'`,
    )
  }
  if (store.localPath === undefined) {
    const bytes = await store.read(path, signal)
    if (!path.endsWith(ORT_FORMAT)) await refuseExternal(path, bytes, signal)
    return { path, model: bytes }
  }
  const local = await store.localPath(path, signal)
  if (!path.endsWith(ORT_FORMAT)) {
    // Read and opened through the same real path: what was checked is what is loaded.
    const real = await realpath(local)
    await checkLocal(local, real, signal)
  }
  return { path: local, model: local }
}

async function checkLocal(path: string, real: string, signal?: AbortSignal): Promise<void> {
  const file = await open(real, 'r')
  try {
    const { size } = await file.stat()
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      const chunk = Buffer.allocUnsafe(length)
      const { bytesRead } = await file.read(chunk, 0, length, offset)
      return chunk.subarray(0, bytesRead)
    }
    const locations = await scan(path, () => externalLocations({ size, read, signal }))
    await checkExternalFiles({ model: path, folder: dirname(path), locations })
  } finally {
    await file.close()
  }
}

async function refuseExternal(
  path: string,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const read = (offset: number, length: number): Uint8Array =>
    bytes.subarray(offset, offset + length)
  const locations = await scan(path, () => externalLocations({ size: bytes.length, read, signal }))
  if (locations.size === 0) return
  throw new ServerError(
    'INVALID_ARG',
    `model '${path}' keeps tensors in other files, which needs a repository on this machine's disk`,
  )
}

/** What cannot be read as ONNX is refused in ONNX Runtime's own words: it would not load either. */
async function scan(
  path: string,
  read: () => Promise<ReadonlySet<string>>,
): Promise<ReadonlySet<string>> {
  try {
    return await read()
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new ServerError(
      'INTERNAL',
      `onnx runtime error 7: Load model from ${path} failed:Protobuf parsing failed.`,
      { cause },
    )
  }
}
