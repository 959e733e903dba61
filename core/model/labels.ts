import type { ModelSource } from '../backend/types.ts'
import type { ModelConfig } from '../config/types.ts'
import { messageOf, ServerError } from '../errors.ts'
import { safeJoin } from '../paths.ts'

/** Largest label file, bytes. */
export const MAX_LABEL_FILE_BYTES: number = 16 * 1024 * 1024
/** Lines a label file may have. */
export const MAX_LABEL_LINES = 1_000_000

/** Class labels by output name. */
export type Labels = ReadonlyMap<string, readonly string[]>

/** Reads the label file of every output that names one (relative to the model's folder): one label a line. */
export async function readLabels(
  source: ModelSource,
  config: ModelConfig,
  signal?: AbortSignal,
): Promise<Labels> {
  const labels = new Map<string, readonly string[]>()
  for (const output of config.output ?? []) {
    const file = output.label_filename ?? ''
    if (file === '') continue
    const name = output.name ?? ''
    const lines = parseLabels(await readFile(source, name, file, signal))
    if (lines.length > MAX_LABEL_LINES) {
      throw labelError(name, file, `has ${lines.length} lines, the limit is ${MAX_LABEL_LINES}`)
    }
    labels.set(name, lines)
  }
  return labels
}

async function readFile(
  source: ModelSource,
  output: string,
  file: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const path = safeJoin(source.modelPath, file)
  const stat = await source.store.stat(path, signal)
  if (stat?.kind !== 'file') throw labelError(output, file, 'does not exist')
  if (stat.size > MAX_LABEL_FILE_BYTES) {
    throw labelError(output, file, `has ${stat.size} bytes, the limit is ${MAX_LABEL_FILE_BYTES}`)
  }
  try {
    return await source.store.read(path, signal)
  } catch (error) {
    throw labelError(output, file, `cannot be read: ${messageOf(error)}`)
  }
}

/** The end of the last line is no line of its own, as in Triton. */
function parseLabels(content: Uint8Array): readonly string[] {
  if (content.length === 0) return []
  const lines = new TextDecoder().decode(content).split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

function labelError(output: string, file: string, problem: string): ServerError {
  return new ServerError('INVALID_ARG', `label file '${file}' of output '${output}' ${problem}`)
}
