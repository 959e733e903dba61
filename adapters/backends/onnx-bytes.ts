import type { ModelSource } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'
import { externalLocations, type ScanOptions } from './onnx-scan.ts'

const DEFAULT_NAME = 'model.onnx'
/** ONNX Runtime's own format is no protobuf and refers to no other file. */
const ORT_FORMAT = '.ort'

/** Where in its store a version's model file is: `model.onnx`, or a folder of that name with a `model.onnx` in it. */
export async function onnxPath(source: ModelSource, signal?: AbortSignal): Promise<string> {
  const { store } = source
  let path = safeJoin(source.versionPath, source.config.default_model_filename || DEFAULT_NAME)
  let stat = await store.stat(path, signal)
  if (stat?.kind === 'directory') {
    path = safeJoin(path, DEFAULT_NAME)
    stat = await store.stat(path, signal)
  }
  if (stat?.kind === 'file') return path
  throw new ServerError(
    'UNAVAILABLE',
    `unable to find '${store.root}/${path}' for model instance '${source.name}'`,
  )
}

/** Whether the file at `path` is one that may refer to others. */
export function isProtobuf(path: string): boolean {
  return !path.endsWith(ORT_FORMAT)
}

/** The content of the model file at `path`, which is refused when it refers to other files: there is nowhere to look for them. */
export async function onnxBytes(
  source: ModelSource,
  path: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await source.store.read(path, signal)
  if (!isProtobuf(path)) return bytes
  const read = (offset: number, length: number): Uint8Array =>
    bytes.subarray(offset, offset + length)
  const locations = await scanOnnx(path, { size: bytes.length, read, signal })
  if (locations.size === 0) return bytes
  throw new ServerError(
    'INVALID_ARG',
    `model '${path}' keeps tensors in other files, which needs a repository on this machine's disk`,
  )
}

/** What cannot be read as ONNX is refused in ONNX Runtime's own words: it would not load either. */
export async function scanOnnx(path: string, file: ScanOptions): Promise<ReadonlySet<string>> {
  try {
    return await externalLocations(file)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new ServerError(
      'INTERNAL',
      `onnx runtime error 7: Load model from ${path} failed:Protobuf parsing failed.`,
      { cause },
    )
  }
}
