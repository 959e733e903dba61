import { open, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ModelSource } from '../../core/backend/types.ts'
import { isProtobuf, onnxBytes, onnxPath, scanOnnx } from './onnx-bytes.ts'
import { checkExternalFiles } from './onnx-external.ts'

/** A model file as a session is opened from it. */
export interface OnnxFile {
  /** How messages call it. */
  readonly path: string
  /** A path on this machine, or the file's bytes where the store has no paths. */
  readonly model: string | Uint8Array
}

/**
 * Finds the model file of a version, `model.onnx` or a folder of that name with a `model.onnx` in it, and refuses it
 * when it refers to data outside its own folder.
 */
export async function findOnnxFile(source: ModelSource, signal?: AbortSignal): Promise<OnnxFile> {
  const { store } = source
  const path = await onnxPath(source, signal)
  if (store.localPath === undefined) return { path, model: await onnxBytes(source, path, signal) }
  const local = await store.localPath(path, signal)
  if (isProtobuf(path)) {
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
    const locations = await scanOnnx(path, { size, read, signal })
    await checkExternalFiles({ model: path, folder: dirname(path), locations })
  } finally {
    await file.close()
  }
}
