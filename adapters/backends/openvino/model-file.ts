import type { ModelSource } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { safeJoin } from '../../../core/paths.ts'
import { allocate } from '../../../native/onnxruntime/memory.ts'
import type { ModelFile } from '../../../native/openvino/model.ts'
import { findOnnxFile } from '../onnx-file.ts'

const DEFAULT_NAME = 'model.xml'
const XML = '.xml'
const ONNX = '.onnx'
/** Other formats that OpenVINO reads from a file; a folder is a TensorFlow SavedModel. */
const OTHERS = ['.tflite', '.pdmodel', '.pb']

/**
 * Finds the model file of a version: `model.xml` with its `.bin` beside it, or whatever else OpenVINO reads under the name
 * that the config gives it. An ONNX file that refers to data outside its folder is refused. Throws UNAVAILABLE where there is none.
 */
export async function findModelFile(source: ModelSource, signal?: AbortSignal): Promise<ModelFile> {
  const { store, config } = source
  const name = config.default_model_filename || DEFAULT_NAME
  const path = safeJoin(source.versionPath, name)
  const stat = await store.stat(path, signal)
  if (stat === undefined) {
    throw new ServerError(
      'UNAVAILABLE',
      `unable to find '${store.root}/${path}' for model '${source.name}'`,
    )
  }
  if (name.endsWith(ONNX)) return onnx(source, signal)
  if (stat.kind === 'file' && ![XML, ...OTHERS].some((ending) => name.endsWith(ending))) {
    throw new ServerError(
      'INVALID_ARG',
      `model '${source.name}' names '${name}': OpenVINO reads ${[XML, ONNX, ...OTHERS].join(', ')} and SavedModel folders`,
    )
  }
  const weights = name.endsWith(XML) ? `${path.slice(0, -XML.length)}.bin` : undefined
  const hasWeights = weights !== undefined && (await store.stat(weights, signal))?.kind === 'file'
  if (store.localPath !== undefined) {
    return {
      path: await store.localPath(path, signal),
      weightsPath: hasWeights ? await store.localPath(weights, signal) : undefined,
    }
  }
  if (stat.kind !== 'file' || weights === undefined) {
    throw new ServerError(
      'UNSUPPORTED',
      `model '${path}' needs a repository on this machine's disk: others hold model.xml and model.onnx`,
    )
  }
  const bytes = await store.read(path, signal)
  if (!hasWeights) return { bytes }
  const read = await store.read(weights, signal)
  const memory = allocate(read.length)
  memory.bytes.set(read)
  return { bytes, weights: memory }
}

async function onnx(source: ModelSource, signal?: AbortSignal): Promise<ModelFile> {
  const { model } = await findOnnxFile(source, signal)
  return typeof model === 'string' ? { path: model } : { bytes: model }
}
