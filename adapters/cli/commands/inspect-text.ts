import type { IoSpec } from '../../../core/backend/types.ts'
import { configToJson } from '../../../core/config/config-json.ts'
import { datatypeOfConfig } from '../../../core/config/datatypes.ts'
import { printConfig } from '../../../core/config/pbtxt-printer.ts'
import type { ModelConfig, ModelInput } from '../../../core/config/types.ts'
import { shapeText } from '../../../core/tensor.ts'
import { table } from '../tables.ts'
import type { Inspection } from './inspect.ts'

/** What stands for the tensors that a model does not tell of. Those of PyTorch go by their places. */
function untold(backend: string): string {
  const joint = backend === 'pytorch' ? '__' : ''
  return `# This model does not say what its inputs and outputs are. Fill them in:
# input [ { name: "INPUT${joint}0" data_type: TYPE_FP32 dims: [ -1 ] } ]
# output [ { name: "OUTPUT${joint}0" data_type: TYPE_FP32 dims: [ -1 ] } ]
`
}

/** The config as a file. */
export function inspectionPbtxt({ config }: Inspection): string {
  return `${printConfig(config)}${tellsTensors(config) ? '' : untold(config.backend ?? '')}`
}

export function inspectionJson({ subject, config, io, problem }: Inspection): string {
  const facts = { subject, config: configToJson(config), model: io ?? null, problem }
  return `${JSON.stringify(facts, null, 2)}\n`
}

/** What it is, in a line and a table. */
export function inspectionTable({ subject, config, io }: Inspection): string {
  const rows = [
    ...(config.input ?? []).map((tensor) => row('input', tensor, io?.inputs)),
    ...(config.output ?? []).map((tensor) => row('output', tensor, io?.outputs)),
  ]
  const head = ['', 'Name', 'Datatype', 'Dims', 'In the model']
  const lines = rows.length === 0 ? ['it does not say its inputs and outputs'] : table(head, rows)
  return `${[`${subject}: ${runsOn(config)}, ${batching(config)}`, ...lines].join('\n')}\n`
}

function tellsTensors(config: ModelConfig): boolean {
  return (config.input?.length ?? 0) > 0 && (config.output?.length ?? 0) > 0
}

function row(side: string, tensor: ModelInput, specs: readonly IoSpec[] = []): string[] {
  const { name = '', data_type, dims = [], optional } = tensor
  const spec = specs.find((one) => one.name === name)
  return [
    optional === true ? `${side} (optional)` : side,
    name,
    datatypeOfConfig(data_type) ?? '?',
    shapeText(dims),
    spec === undefined ? '' : `${spec.datatype} ${shapeText(spec.shape)}`,
  ]
}

function runsOn({ backend, platform }: ModelConfig): string {
  return platform === 'ensemble' ? 'an ensemble' : `run by ${backend || platform || '?'}`
}

function batching(config: ModelConfig): string {
  const size = config.max_batch_size ?? 0
  if (size === 0) return 'no batches'
  const how =
    config.sequence_batching !== undefined
      ? ' of sequences'
      : config.dynamic_batching !== undefined
        ? ', made of requests that wait'
        : ', as requests bring them'
  return `batches of up to ${size}${how}`
}
